import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { connect } from 'node:net';

/**
 * Runs one SQL text on a connection of its own and gives its rows as arrays of strings (PostgreSQL's documentation,
 * "Frontend/Backend Protocol"; passwords by SCRAM-SHA-256, RFC 5802). `$1` … are replaced by quoted values.
 */
export function query(sql, ...values) {
  const { PGHOST = 'db', PGPORT = '5432', PGUSER = 'postgres', PGDATABASE = PGUSER, PGPASSWORD = '' } = process.env;
  return new Promise((resolve, reject) => {
    const socket = connect(Number(PGPORT), PGHOST);
    const rows = [];
    let failure;
    let login;
    let received = Buffer.alloc(0);
    socket.setTimeout(5000, () => socket.destroy(new Error(`no answer from PostgreSQL at ${PGHOST}`)));
    socket.on('error', reject);
    socket.on('close', () => (failure ? reject(failure) : resolve(rows)));
    socket.on('connect', () => socket.write(startup(PGUSER, PGDATABASE)));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 5) {
        const end = 1 + received.readUInt32BE(1);
        if (received.length < end) return;
        handle(String.fromCharCode(received[0]), received.subarray(5, end));
        received = received.subarray(end);
      }
    });

    let isAsked = false;
    function handle(type, body) {
      if (type === 'R') answerLogin(body.readUInt32BE(0), body.subarray(4));
      else if (type === 'D') rows.push(columns(body));
      else if (type === 'E') failure = new Error(errorText(body));
      else if (type === 'Z' && !isAsked) {
        isAsked = true;
        socket.write(message('Q', text(fill(sql, values))));
      } else if (type === 'Z') socket.end(message('X', Buffer.alloc(0)));
      if (type === 'E' && !isAsked) socket.end();
    }

    function answerLogin(code, body) {
      if (code === 10) {
        login = scram(PGPASSWORD);
        socket.write(
          message('p', Buffer.concat([text('SCRAM-SHA-256'), int32(login.first.length), Buffer.from(login.first)])),
        );
      } else if (code === 11) socket.write(message('p', Buffer.from(login.final(body.toString('utf8')))));
      else if (code !== 0 && code !== 12) socket.destroy(new Error(`PostgreSQL wants a login of kind ${code}`));
    }
  });
}

function startup(user, database) {
  const body = Buffer.concat([
    int32(196608), // protocol 3.0
    ...['user', user, 'database', database].map(text),
    Buffer.from([0]),
  ]);
  return Buffer.concat([int32(body.length + 4), body]);
}

function scram(password) {
  const nonce = randomBytes(18).toString('base64');
  const bare = `n=,r=${nonce}`;
  return {
    first: `n,,${bare}`,
    final: (challenge) => {
      const { r, s, i } = Object.fromEntries(challenge.split(',').map((part) => [part[0], part.slice(2)]));
      const salted = pbkdf2Sync(password, Buffer.from(s, 'base64'), Number(i), 32, 'sha256');
      const clientKey = hmac(salted, 'Client Key');
      const stored = createHash('sha256').update(clientKey).digest();
      const unproven = `c=biws,r=${r}`;
      const signature = hmac(stored, `${bare},${challenge},${unproven}`);
      return `${unproven},p=${clientKey.map((byte, index) => byte ^ signature[index]).toString('base64')}`;
    },
  };
}

const hmac = (key, data) => createHmac('sha256', key).update(data).digest();
const text = (value) => Buffer.from(`${value}\0`);
const message = (type, body) => Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);

function int32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function columns(body) {
  const values = [];
  let at = 2;
  for (let left = body.readUInt16BE(0); left > 0; left--) {
    const length = body.readInt32BE(at);
    at += 4;
    values.push(length < 0 ? null : body.toString('utf8', at, at + length));
    at += Math.max(length, 0);
  }
  return values;
}

function errorText(body) {
  const fields = body.toString('utf8').split('\0');
  return `PostgreSQL: ${fields.find((field) => field[0] === 'M')?.slice(1)}`;
}

const fill = (sql, values) =>
  sql.replace(
    /\$(\d+)/g,
    (_, number) =>
      `'${String(values[number - 1])
        .replaceAll('\0', '')
        .replaceAll("'", "''")}'`,
  );
