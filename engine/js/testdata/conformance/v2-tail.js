const hooks = {
  __describe_module__: () => new Uint8Array([2, 0, 0, 0, 0]),
  __get_error_constructor__: (n) =>
    class extends HostError {
      constructor(message) {
        super(n, message);
      }
    },
  __sender_error_class__: Failure,
  __call_reducer__: (id, sender, conn, time, args) => {
    run(new Uint8Array(args.buffer, args.byteOffset, args.byteLength), { sender });
  },
  __call_view__: (id, sender, args) => view(args, sender),
  __call_view_anon__: (id, args) => view(args, 0n),
  __call_procedure__: procedure,
  __call_http_handler__: (id, time, request, body, sender, token) => {
    const { result = new Uint8Array(), answer = new Uint8Array() } = run(request, { sender, body, token });
    return [result, answer];
  },
};
export default { [s20.moduleHooks]: () => hooks };
