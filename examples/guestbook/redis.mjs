import { connect } from 'node:net';

/** One command to redis on a connection of its own; gives its answer (redis.io: RESP). */
export function redis(...words) {
  const { REDIS_HOST = 'redis', REDIS_PORT = '6379' } = process.env;
  return new Promise((resolve, reject) => {
    const socket = connect(Number(REDIS_PORT), REDIS_HOST);
    let received = Buffer.alloc(0);
    socket.setTimeout(2000, () => socket.destroy(new Error(`no answer from redis at ${REDIS_HOST}`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('redis closed the connection')));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      const answer = parse(received, 0);
      if (!answer) return; // not all of it yet
      socket.end();
      if (answer.value instanceof Error) reject(answer.value);
      else resolve(answer.value);
    });
    socket.write(`*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`);
  });
}

/** `{ value, end }` of the answer that starts at `start`; nothing while it is incomplete. */
function parse(bytes, start) {
  const lineEnd = bytes.indexOf('\r\n', start);
  if (lineEnd < 0) return undefined;
  const line = bytes.toString('utf8', start + 1, lineEnd);
  const next = lineEnd + 2;
  switch (String.fromCharCode(bytes[start])) {
    case '+':
      return { value: line, end: next };
    case '-':
      return { value: new Error(`redis: ${line}`), end: next };
    case ':':
      return { value: Number(line), end: next };
    case '$': {
      const length = Number(line);
      if (length < 0) return { value: null, end: next };
      if (bytes.length < next + length + 2) return undefined;
      return { value: bytes.toString('utf8', next, next + length), end: next + length + 2 };
    }
    case '*': {
      const values = [];
      let end = next;
      for (let index = 0; index < Number(line); index++) {
        const item = parse(bytes, end);
        if (!item) return undefined;
        values.push(item.value);
        end = item.end;
      }
      return { value: values, end };
    }
    default:
      return { value: new Error('redis: an answer that is none'), end: bytes.length };
  }
}
