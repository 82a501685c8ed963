# The server and its command line, and nothing else: built from scratch around the
# static program. `make image-root` makes what is copied.
#
#   make image-root && docker build -t spacetime .
#   docker run --rm -p 3000:3000 spacetime start
#
# Databases are in /home/spacetime/.local/share/spacetime/data unless --data-dir says
# another place: mount a volume there to keep them.
FROM scratch
COPY --chown=1000:1000 bin/image/ /
ENV HOME=/home/spacetime PATH=/usr/local/bin
USER 1000:1000
WORKDIR /app
EXPOSE 3000
ENTRYPOINT ["spacetime"]
