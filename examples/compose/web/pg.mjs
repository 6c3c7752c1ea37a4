// The least of Postgres' protocol 3.0 that a query needs: start-up, SCRAM-SHA-256 (RFC 7677), simple query.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { connect } from 'node:net';

const { DB_HOST = 'db', DB_USER = 'postgres', DB_NAME = DB_USER, DB_PASSWORD = '' } = process.env;

/** Rows as arrays of texts. */
export function query(sql) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: DB_HOST, port: 5432 });
    const rows = [];
    let failure;
    let received = Buffer.alloc(0);
    const scram = createScram(DB_PASSWORD);
    socket.setTimeout(30_000, () => socket.destroy(new Error(`no answer from ${DB_HOST}`)));
    socket.on('error', reject);
    socket.on('connect', () => {
      const words = ['user', DB_USER, 'database', DB_NAME, '', ''].join('\0');
      socket.write(message('', Buffer.concat([int32(196608), Buffer.from(words)])));
    });
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 5 && received.length >= 1 + received.readUInt32BE(1)) {
        const length = received.readUInt32BE(1);
        handle(String.fromCharCode(received[0]), received.subarray(5, 1 + length));
        received = received.subarray(1 + length);
      }
    });
    let isReady = false;
    function handle(type, body) {
      if (type === 'E')
        failure = new Error(
          body
            .toString()
            .split('\0')
            .find((part) => part.startsWith('M'))
            ?.slice(1) ?? 'error',
        );
      else if (type === 'R') authenticate(body.readUInt32BE(0), body.subarray(4));
      else if (type === 'D') rows.push(readRow(body));
      else if (type === 'Z' && !isReady) {
        isReady = true;
        socket.write(message('Q', Buffer.from(`${sql}\0`)));
        return;
      }
      if (type === 'Z' || (type === 'E' && !isReady)) {
        socket.end(message('X', Buffer.alloc(0)));
        if (failure) reject(failure);
        else resolve(rows);
      }
    }
    function authenticate(code, body) {
      if (code === 10) {
        const first = Buffer.from(scram.first());
        socket.write(message('p', Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), int32(first.length), first])));
      } else if (code === 11) socket.write(message('p', Buffer.from(scram.final(body.toString()))));
      else if (code !== 0 && code !== 12) reject(new Error(`authentication method ${code} is not known here`));
    }
  });
}

function createScram(password) {
  const nonce = randomBytes(18).toString('base64');
  const bare = `n=,r=${nonce}`;
  return {
    first: () => `n,,${bare}`,
    final: (challenge) => {
      const { r, s, i } = Object.fromEntries(challenge.split(',').map((part) => [part[0], part.slice(2)]));
      const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
      const salted = pbkdf2Sync(password, Buffer.from(s, 'base64'), Number(i), 32, 'sha256');
      const clientKey = hmac(salted, 'Client Key');
      const withoutProof = `c=biws,r=${r}`;
      const signature = hmac(createHash('sha256').update(clientKey).digest(), `${bare},${challenge},${withoutProof}`);
      const proof = Buffer.from(clientKey.map((byte, at) => byte ^ signature[at]));
      return `${withoutProof},p=${proof.toString('base64')}`;
    },
  };
}

function readRow(body) {
  const row = [];
  let at = 2;
  for (let column = 0; column < body.readUInt16BE(0); column++) {
    const length = body.readInt32BE(at);
    at += 4;
    row.push(length < 0 ? null : body.subarray(at, at + length).toString());
    at += Math.max(0, length);
  }
  return row;
}

function message(type, body) {
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function int32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
