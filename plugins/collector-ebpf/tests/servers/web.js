// A TLS web server and client: web.js serve PORT CERT KEY | web.js ask CERT URL...
const fs = require("fs"), https = require("https");
const [what, ...rest] = process.argv.slice(2);
if (what === "serve") {
  const answer = (request, response) => response.end("from " + request.url);
  https.createServer({ cert: fs.readFileSync(rest[1]), key: fs.readFileSync(rest[2]) }, answer).listen(Number(rest[0]), "127.0.0.1");
} else {
  const agent = new https.Agent({ keepAlive: true, ca: fs.readFileSync(rest[0]) });
  const ask = (urls) => {
    if (!urls.length) return agent.destroy();
    https.get(urls[0], { agent }, (answer) => {
      answer.on("data", (data) => console.log(String(data)));
      answer.on("end", () => ask(urls.slice(1)));
    });
  };
  ask(rest.slice(1));
}
