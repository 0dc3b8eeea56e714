// One tier in Node.js: everything in one thread. node tier.js TRUTH HEADERS [HOST:PORT ...]; see tier.py.
"use strict";
const { appendFileSync } = require("node:fs");
const { randomBytes } = require("node:crypto");
const http = require("node:http");

const [truth, headers, ...behind] = process.argv.slice(2);

function ask(place, parent, came) {
  const child = `id-${randomBytes(6).toString("hex")}`;
  appendFileSync(truth, `${parent} ${child}\n`);
  const extra = {};
  if (headers === "b3" && came["x-b3-traceid"]) {
    extra["X-B3-TraceId"] = came["x-b3-traceid"];
    extra["X-B3-ParentSpanId"] = came["x-b3-spanid"];
    extra["X-B3-SpanId"] = randomBytes(8).toString("hex");
  }
  return new Promise((done, failed) => {
    http.get(`http://${place}/${child}`, { headers: extra }, (answer) => {
      answer.resume();
      answer.on("end", done);
    }).on("error", failed);
  });
}

const server = http.createServer(async (request, answer) => {
  try {
    for (const place of behind) await ask(place, request.url.slice(1), request.headers);
    answer.end("ok");
  } catch (error) {
    answer.writeHead(502).end(String(error));
  }
});
server.listen({ host: "127.0.0.1", port: 0, backlog: 256 }, () => console.log(server.address().port));
