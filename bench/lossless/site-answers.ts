import { openHttp1 } from './http1-connection.ts';
import type { WireTarget } from './outcome.ts';

/** Whether the application answers there; what is asked has no id, and leaves nothing in its log. */
export async function answers(target: WireTarget, host: string): Promise<boolean> {
  const connection = await openHttp1(target);
  if (!('send' in connection)) return false;
  const outcome = await connection.send({ id: 'probe', path: '/up', host, method: 'GET', timeoutMs: 2_000 });
  connection.close();
  return 'status' in outcome && outcome.status === 200;
}
