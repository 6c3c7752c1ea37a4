import { type ClientHttp2Stream, constants } from 'node:http2';
import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { messageOf } from '../../lib/errors.ts';

/** The client's side of one forwarded connection. */
export interface ForwardedConnection {
  readonly data: Duplex;
  /** Said on the connection's error stream, which is ended. At most once; without words: it ended as it should. */
  end(words?: string): void;
}

/** Opens a connection to a port of the pod. Rejects with the agent's words. */
export type ConnectPort = (port: number) => Promise<ClientHttp2Stream>;

/** Joins a client's connection with one to the pod; resolves when it is over. Each side's end goes on to the other. */
export async function forwardConnection(
  connect: ConnectPort,
  port: number,
  { data, end }: ForwardedConnection,
  describePod: string,
): Promise<void> {
  let stream: ClientHttp2Stream;
  try {
    stream = await connect(port);
  } catch (error) {
    end(`error forwarding port ${port} to ${describePod}: ${messageOf(error)}`);
    data.destroy();
    return;
  }
  if (data.destroyed) return stream.close(constants.NGHTTP2_CANCEL);
  await new Promise<void>((resolve) => {
    stream.on('error', () => {}); // its close follows
    stream.once('end', () => end());
    stream.once('close', () => {
      end();
      // Cut off, not ended: whoever reads must not take half for the whole.
      if (!stream.readableEnded) data.destroy();
      // The pod has ended both ways: what the client might still send is not waited for.
      else
        void finished(data, { readable: false }).then(
          () => data.destroy(),
          () => {},
        );
    });
    data.once('close', () => {
      if (!stream.closed)
        stream.close(data.readableEnded && data.writableFinished ? undefined : constants.NGHTTP2_CANCEL);
      resolve();
    });
    stream.pipe(data);
    data.pipe(stream);
  });
}

/** The port of a request. */
export function parsePort(text: string | undefined | null): number | undefined {
  if (!/^\d{1,5}$/.test(text ?? '')) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65_535 ? port : undefined;
}
