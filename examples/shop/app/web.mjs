// A page that knows what is in the cart of a client, in its own memory: the client has to stay with its instance.
import { createServer } from 'node:http';
import { hostname } from 'node:os';

const carts = new Map();

const server = createServer((request, response) => {
  if (request.url === '/up') return response.end('up\n');
  const client = /\bclient=([0-9a-f]+)/.exec(request.headers.cookie ?? '')?.[1] ?? Math.random().toString(16).slice(2);
  if (request.method === 'POST') carts.set(client, (carts.get(client) ?? 0) + 1);
  response.setHeader('set-cookie', `client=${client}; Path=/; HttpOnly`);
  response.end(`shop, served by ${hostname()}: ${carts.get(client) ?? 0} in your cart\n`);
});
server.listen(8080, () => console.log('listening on 8080'));
// Nothing is sent here any more when this comes: what is under way is ended.
process.on('SIGTERM', () => server.close(() => process.exit(0)));
