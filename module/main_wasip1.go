package module

// Main is what the main function of a module calls. In WebAssembly it never runs.
func Main() {}
