// What is no object: version, health, OpenAPI.
import { createHash } from 'node:crypto';
import { openApiV2ContentType, openApiV2Minimal, openApiV3Document, openApiV3Index } from '../../resources/openapi.ts';
import { unknownPath } from '../registry/api-errors.ts';
import { type Exchange, sendText, writableOf, writeHead } from './exchange.ts';
import type { Route } from './route.ts';

/** The Kubernetes release whose API we follow. */
const apiMajor = '1';
const apiMinor = '35';

/** `/version`; clients compare major and minor, people read the rest. */
export function versionInfo(flotillaVersion: string): object {
  return {
    major: apiMajor,
    minor: apiMinor,
    gitVersion: `v${apiMajor}.${apiMinor}.0+flotilla-${flotillaVersion}`,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: '',
    platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
  };
}

/** `problems` are what keeps this server from answering; only readiness looks at them. */
export async function sendHealth(exchange: Exchange, check: string, problems: readonly string[]): Promise<void> {
  const isReady = check !== 'readyz' || problems.length === 0;
  const text = isReady ? 'ok' : `${problems.map((problem) => `[-] ${problem}`).join('\n')}\nreadyz check failed`;
  await sendText(exchange, [text], { code: isReady ? 200 : 500, contentType: 'text/plain; charset=utf-8' });
}

/** Documents are made once, from tables that never change. */
export class OpenApiDocuments {
  readonly #texts = new Map<string, { text: string; etag: string } | undefined>();

  async send(exchange: Exchange, route: Extract<Route, { readonly type: 'openApi' }>): Promise<void> {
    if (route.version === 'v2') return sendV2(exchange);
    const prefix = gridPrefixOf(exchange.request.url);
    const made = this.#document(route.document, prefix);
    if (!made) throw unknownPath();
    // A hashed URL never changes what it says; the index is asked for again each time.
    const isForever = route.document !== undefined && exchange.query.has('hash');
    const headers = {
      etag: made.etag,
      vary: 'Accept',
      ...(isForever
        ? { 'cache-control': 'public, immutable', expires: new Date(Date.now() + 31_536_000_000).toUTCString() }
        : { 'cache-control': 'no-cache' }),
    };
    if (exchange.request.headers['if-none-match'] === made.etag) {
      const response = writableOf(exchange.response);
      writeHead(exchange, { code: 304, headers });
      response.removeHeader('content-type');
      response.end();
      return;
    }
    await sendText(exchange, [made.text], { headers });
  }

  #document(document: string | undefined, prefix: string): { text: string; etag: string } | undefined {
    const key = document ?? `index ${prefix}`;
    let made = this.#texts.get(key);
    if (!made) {
      const value = document === undefined ? openApiV3Index(prefix) : openApiV3Document(document);
      if (!value) return undefined;
      const text = JSON.stringify(value);
      made = { text, etag: `"${createHash('sha256').update(text).digest('hex').slice(0, 32).toUpperCase()}"` };
      this.#texts.set(key, made);
    }
    return made;
  }
}

function sendV2(exchange: Exchange): void {
  writeHead(exchange, { contentType: openApiV2ContentType });
  writableOf(exchange.response).end(Buffer.from(openApiV2Minimal));
}

/** Clients take the index's paths as they are: they must lead back through the grid they came by. */
function gridPrefixOf(url: string | undefined): string {
  return /^\/grids\/[^/?]+/.exec(url ?? '')?.[0] ?? '';
}
