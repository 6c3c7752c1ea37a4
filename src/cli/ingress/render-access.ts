/** A line of a proxy's access log, as far as it is shown. */
export interface AccessLine {
  /** RFC 3339 */
  readonly time: string;
  readonly kind: 'http' | 'tcp';
  readonly client: string;
  readonly totalMs: number;
  readonly sentBytes: number;
  readonly end: string;
  readonly host?: string;
  readonly routeHost?: string;
  readonly method?: string;
  readonly path?: string;
  readonly status?: number;
  readonly port?: number;
  readonly backend?: string;
  readonly pod?: string;
  readonly endpoint?: string;
}

/** Undefined: not one that an agent of ours writes. */
export function parseAccessLine(text: string): AccessLine | undefined {
  try {
    const line = JSON.parse(text) as Partial<AccessLine> | null;
    return typeof line?.time === 'string' && typeof line.client === 'string' ? (line as AccessLine) : undefined;
  } catch {
    return undefined;
  }
}

/** `12:00:00.123 h1 192.0.2.1 200 GET web.shop.localhost/cart -> shop/web-1 12 ms 5120 B` */
export function renderAccessLine(node: string, line: AccessLine): string {
  const what =
    line.kind === 'tcp'
      ? `TCP ${line.host ?? ''}:${line.port ?? '-'}`
      : `${line.status ?? '-'} ${line.method ?? '-'} ${line.host ?? '-'}${line.path ?? ''}`;
  const to = line.pod ?? line.endpoint ?? line.backend ?? 'nobody';
  // What is not a plain end is HAProxy's own word for who broke off, and when.
  const end = /^-+$/.test(line.end) || line.end === '' ? '' : ` ${line.end}`;
  const text = `${line.time} ${node} ${line.client} ${what} -> ${to} ${line.totalMs} ms ${line.sentBytes} B${end}`;
  return text.replace(/\p{Cc}/gu, '?');
}
