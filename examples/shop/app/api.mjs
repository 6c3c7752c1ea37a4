// GET /: what there is. POST /orders: an order, which is answered with its number of bytes and who took it.
import { createServer } from 'node:http';
import { hostname } from 'node:os';

const server = createServer(async (request, response) => {
  response.setHeader('content-type', 'application/json');
  if (request.url === '/up') return response.end('{}\n');
  let bytes = 0;
  for await (const chunk of request) bytes += chunk.length;
  const client = request.headers['x-forwarded-for'];
  response.end(`${JSON.stringify({ method: request.method, path: request.url, bytes, client, by: hostname() })}\n`);
});
server.listen(8080, () => console.log('listening on 8080'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
