// A program of one's own, on data of its own: for scripts that begin with nothing, or stop it.

import { spawn } from "node:child_process";

import { check } from "./site.mjs";

// Starts the program of THROUGHLINE with these addresses, or on free ports, and waits until it is ready.
export function start(data, { ui = "127.0.0.1:0", http = "127.0.0.1:0", grpc = "off" } = {}) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(THROUGHLINE|OTEL)_/.test(name)));
  const child = spawn(process.env.THROUGHLINE, ["serve", "--data-dir", data, "--ui", ui, "--otlp-http", http, "--otlp-grpc", grpc], { env, stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise((done) => child.once("exit", (code, signal) => done(code ?? signal)));
  let said = "";
  child.stderr.on("data", (chunk) => { said = (said + chunk).slice(-4_000); });
  return new Promise((done, failed) => {
    let printed = "";
    child.stdout.on("data", (chunk) => {
      printed += chunk;
      const address = (name) => new RegExp(`^ready ${name} http://(\\S+)`, "m").exec(printed)?.[1];
      if (address("ui") && address("otlp/http") && (grpc === "off" || address("otlp/grpc"))) done({ child, ended, ui: address("ui"), http: address("otlp/http"), grpc: address("otlp/grpc") });
    });
    ended.then((code) => failed(new Error(`the program ended with ${code}: ${said}`)));
  });
}

// Asks it to end, and says how many milliseconds that took.
export async function stop(server) {
  const began = Date.now();
  server.child.kill("SIGTERM");
  const code = await server.ended;
  check(code === 0, `the program ended with ${code}`);
  return Date.now() - began;
}
