s10.register_hooks({
  __describe_module__: () => new Uint8Array([2, 0, 0, 0, 0]),
  __call_reducer__: (id, sender, conn, time, args) => {
    try {
      run(args, { sender });
    } catch (e) {
      if (e instanceof Failure) return { tag: "err", value: e.message };
      throw e;
    }
    return { tag: "ok" };
  },
});
s11.register_hooks({
  // Bytes without a header are rows.
  __call_view__: (id, sender, args) => {
    const { data } = view(args, sender);
    return data[0] === 0 ? data.subarray(1) : { data };
  },
  __call_view_anon__: (id, args) => view(args, 0n),
});
s12.register_hooks({ __call_procedure__: procedure });
