// Run pytest in CPython 3.14, compiled to WebAssembly: node run.mjs REPOSITORY PACKAGES ARGUMENT...
import { loadPyodide } from "pyodide";
import { readFileSync } from "node:fs";

const [repository, packages, ...options] = process.argv.slice(2);
const python = await loadPyodide({ env: { HOME: "/tmp", PYTHONDONTWRITEBYTECODE: "1" } });
python.mountNodeFS("/repository", repository);
python.mountNodeFS("/packages", packages);
python.globals.set("options", python.toPy(options));
process.exit(python.runPython(readFileSync(new URL("../in_webassembly.py", import.meta.url), "utf-8")));
