/** What this host gives. */
export interface Environment {
  /** Where it listens: `*`, `::`, or addresses. */
  readonly addresses: readonly string[];
  /** Connections that the limit of open files allows. */
  readonly maxConnections: number;
  /** Whom the workers run as. Undefined: who started them. */
  readonly user?: { readonly name: string; readonly group: string };
  /** Path of the socket that takes the access log. Undefined: none is written. */
  readonly logSocket?: string;
  /** Where sockets between workers are: only they may go there. */
  readonly socketDirectory: string;
}

export interface Line {
  readonly text: string;
  /** Whose fault it is when HAProxy refuses it: a key of a section or a listener. */
  readonly owner?: string;
}

export function bindLines({ addresses }: Environment, port: number, words = ''): readonly string[] {
  return addresses.map((address) => {
    const where =
      address === '::' ? `:::${port} v6only` : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
    return `  bind ${where}${words}`;
  });
}
