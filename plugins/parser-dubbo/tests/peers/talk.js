// A provider on a port of loopback and a consumer: calls that work, one that fails, one that nobody knows. Prints the port first,
// waits for a line, talks, and prints what came of each call.
const { RpcServer } = require('sofa-rpc-node').server;
const { RpcClient } = require('sofa-rpc-node').client;
const protocol = require('dubbo-remoting');
const logger = { info() {}, warn() {}, error() {}, debug() {}, log() {} };
const port = Number(process.argv[2]);
const interfaceName = 'shop.CartService';

async function main() {
  const server = new RpcServer({ logger, port, host: '127.0.0.1', protocol });
  server.addService({ interfaceName, version: '1.0.0' }, {
    async plus(a, b) { return a + b; },
    async fail() { throw new Error('no stock'); },
  });
  await server.start();
  console.log('ready');
  await new Promise(resolve => process.stdin.once('data', resolve));
  const client = new RpcClient({ logger, protocol });
  const serverHost = `dubbo://127.0.0.1:${port}`;
  const consumer = client.createConsumer({ interfaceName, version: '1.0.0', serverHost });
  await consumer.ready();
  const results = [];
  for (let number = 0; number < 200; number++) results.push(await consumer.invoke('plus', [number, 1], { responseTimeout: 3000 }));
  const together = await Promise.all([1, 2, 3].map(number => consumer.invoke('plus', [number, 100], { responseTimeout: 3000 })));
  let failed = '';
  try { await consumer.invoke('fail', [], { responseTimeout: 3000 }); } catch (error) { failed = error.message; }
  console.log(JSON.stringify({ sum: results.reduce((a, b) => a + b, 0), together, failed }));
  process.exit(0);
}
main().catch(error => { console.error(error); process.exit(1); });
