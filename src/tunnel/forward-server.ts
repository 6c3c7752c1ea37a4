import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';

/** Joins a connection to a pod with a stream; resolves when both directions are over. Cut off stays cut off: no end is made up. */
export function serveForward(stream: ServerHttp2Stream, connection: Duplex): Promise<void> {
  if (stream.destroyed) {
    connection.destroy();
    return Promise.resolve();
  }
  stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' });
  return new Promise((resolve) => {
    let hasPodEnded = false;
    connection.once('end', () => {
      hasPodEnded = true;
    });
    connection.on('error', () => {}); // its close follows
    connection.once('close', () => {
      stream.resume(); // what the client still says goes nowhere
      // What the pod said last leaves before the stream is closed.
      if (!stream.destroyed) stream.close(hasPodEnded ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_CONNECT_ERROR);
      resolve();
    });
    stream.once('close', () => connection.destroy());
    connection.pipe(stream);
    stream.pipe(connection);
  });
}
