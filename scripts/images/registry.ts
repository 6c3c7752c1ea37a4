import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** A docker-registry of our own over `storage`, on loopback, while something is pushed. */
export async function withRegistry(storage: string, use: (registry: Registry) => Promise<void>): Promise<void> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-registry-'));
  const file = join(directory, 'config.yml');
  const config = {
    version: 0.1,
    log: { level: 'error' },
    storage: { filesystem: { rootdirectory: storage } },
    http: { addr: `127.0.0.1:${port}` },
  };
  writeFileSync(file, JSON.stringify(config)); // JSON is YAML
  const child = spawn('docker-registry', ['serve', file], { stdio: 'ignore' });
  try {
    const registry = new Registry(port);
    await registry.ready(child);
    await use(registry);
  } finally {
    child.kill('SIGTERM');
    rmSync(directory, { recursive: true });
  }
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** The part of the registry's HTTP API that a push needs (distribution-spec, "Pushing"). */
export class Registry {
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  async ready(child: ChildProcess): Promise<void> {
    const deadline = performance.now() + 10_000;
    while (performance.now() < deadline && child.exitCode === null) {
      const answer = await this.#ask('GET', '/v2/').catch(() => undefined);
      if (answer?.status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`docker-registry did not answer on 127.0.0.1:${this.#port}`);
  }

  /** The digest of the configuration that a tag has now. */
  async configDigest(name: string, tag: string): Promise<string | undefined> {
    const answer = await this.#ask('GET', `/v2/${name}/manifests/${tag}`, { accept: manifestType });
    return answer.status === 200
      ? (JSON.parse(answer.body) as { config: { digest: string } }).config.digest
      : undefined;
  }

  async pushFile(name: string, file: string, digest: string): Promise<void> {
    if (await this.#has(name, digest)) return;
    await this.#upload(name, digest, createReadStream(file));
  }

  async pushBytes(name: string, bytes: Buffer): Promise<string> {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    if (!(await this.#has(name, digest))) await this.#upload(name, digest, bytes);
    return digest;
  }

  async pushManifest(name: string, tag: string, manifest: object): Promise<void> {
    const answer = await this.#ask(
      'PUT',
      `/v2/${name}/manifests/${tag}`,
      { 'content-type': manifestType },
      Buffer.from(JSON.stringify(manifest)),
    );
    if (answer.status !== 201) throw new Error(`registry refused ${name}:${tag}: ${answer.status} ${answer.body}`);
  }

  async #has(name: string, digest: string): Promise<boolean> {
    return (await this.#ask('HEAD', `/v2/${name}/blobs/${digest}`)).status === 200;
  }

  async #upload(name: string, digest: string, body: Buffer | NodeJS.ReadableStream): Promise<void> {
    const begun = await this.#ask('POST', `/v2/${name}/blobs/uploads/`);
    const location = new URL(String(begun.headers.location), `http://127.0.0.1:${this.#port}`);
    location.searchParams.set('digest', digest);
    const answer = await this.#ask(
      'PUT',
      location.pathname + location.search,
      { 'content-type': 'application/octet-stream' },
      body,
    );
    if (answer.status !== 201) throw new Error(`registry refused a layer of ${name}: ${answer.status} ${answer.body}`);
  }

  #ask(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: Buffer | NodeJS.ReadableStream,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = request(
        { host: '127.0.0.1', port: this.#port, method, path, headers, timeout: 120_000 },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks).toString('utf8'),
            }),
          );
        },
      );
      asked.on('error', reject);
      asked.on('timeout', () => asked.destroy(new Error(`no answer to ${method} ${path}`)));
      if (body === undefined || body instanceof Buffer) asked.end(body);
      else pipeline(body, asked).catch(reject);
    });
  }
}

export const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
