import { ageColumn, column, defineKind, nameColumn } from '../define-kind.ts';
import { invalid, required, tooLong } from '../field-errors.ts';
import { isObject, jsonEqual } from '../json.ts';
import type { Secret } from '../kinds.ts';
import { objectMeta } from '../meta.ts';
import { type FieldError, field, mapOf, message } from '../schema.ts';
import { checkKeys, count, decodedBytesOf, immutableData, maxDataBytes, requireMutable } from './config-map.ts';

const defaultType = 'Opaque';
export const tlsType = 'kubernetes.io/tls';
/** Ours: who may pass a proxy, lines of htpasswd under the key `auth`. */
export const basicAuthType = 'flotilla.dev/basic-auth';

/** Keys that a type of secret must have. */
const keysOfTypes: Readonly<Record<string, readonly string[]>> = {
  [tlsType]: ['tls.crt', 'tls.key'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  [basicAuthType]: ['auth'],
};

export const secrets = defineKind<Secret>({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  encrypted: true,
  message: message(
    'Secret',
    {
      metadata: field(1, objectMeta),
      data: field(2, mapOf('bytes'), { secret: true, description: 'Base64.' }),
      type: field(3, 'string', { default: defaultType }),
      stringData: field(4, mapOf('string'), { secret: true, description: 'Plain text; moved to data when written.' }),
      immutable: field(5, 'bool', { optional: true }),
    },
    {
      defaults: (object) => {
        if (object.stringData === undefined) return;
        const data = { ...(object.data as Record<string, string> | undefined) };
        for (const [key, value] of Object.entries(object.stringData as Record<string, string>)) {
          data[key] = Buffer.from(value, 'utf8').toString('base64');
        }
        object.data = data;
        delete object.stringData;
      },
    },
  ),
  selectableFields: { type: (secret) => secret.type ?? '' },
  columns: [
    nameColumn(),
    column('Type', 'What it is for.', (secret) => secret.type ?? ''),
    column('Data', 'How many keys it has.', (secret) => count(secret.data), { type: 'integer' }),
    ageColumn(),
  ],
  validate: (secret, errors) => {
    checkKeys(secret.data, 'data', errors);
    for (const key of keysOfTypes[secret.type ?? ''] ?? []) {
      if (secret.data?.[key] === undefined) errors.push(required(`data[${key}]`));
    }
    checkDockerConfig(secret, errors);
    checkPasswords(secret, errors);
    if (secret.type === 'kubernetes.io/basic-auth' && !secret.data?.username && !secret.data?.password) {
      errors.push(required('data[username]'), required('data[password]'));
    }
    if (decodedBytesOf(secret.data) > maxDataBytes) errors.push(tooLong('data', maxDataBytes));
  },
  validateUpdate: validateSecretUpdate,
});

const redacted = '<secret contents redacted>';

function checkDockerConfig(secret: Secret, errors: FieldError[]): void {
  const key = { 'kubernetes.io/dockerconfigjson': '.dockerconfigjson', 'kubernetes.io/dockercfg': '.dockercfg' }[
    secret.type ?? ''
  ];
  const value = key === undefined ? undefined : secret.data?.[key];
  if (value === undefined || isJsonObject(Buffer.from(value, 'base64').toString('utf8'))) return;
  errors.push(invalid(`data[${key}]`, redacted, 'must be a JSON object'));
}

function isJsonObject(text: string): boolean {
  try {
    return isObject(JSON.parse(text));
  } catch {
    return false;
  }
}

function validateSecretUpdate(secret: Secret, old: Secret, errors: FieldError[]): void {
  if (secret.type !== old.type) errors.push(invalid('type', secret.type, 'field is immutable'));
  requireMutable(old.immutable, secret.immutable, errors);
  if (old.immutable && !jsonEqual(secret.data ?? {}, old.data ?? {})) errors.push(immutableData('data'));
}

const maxUsers = 1_000;

/** Lines of htpasswd, for the way in. Messages never repeat them. */
function checkPasswords({ type, data }: Secret, errors: FieldError[]): void {
  if (type !== basicAuthType || data?.auth === undefined) return;
  const lines = Buffer.from(data.auth, 'base64').toString('utf8').split(/\r?\n/);
  const users = lines.filter((line) => line !== '');
  const refuse = (why: string) => void errors.push(invalid('data[auth]', redacted, why));
  if (users.length === 0 || users.length > maxUsers) refuse(`must have 1 to ${maxUsers} lines name:hash`);
  // What crypt(3) knows; Apache's own $apr1$ and {SHA} it does not.
  const at = users.findIndex((line) => !/^[^:\s"'\\]{1,64}:\$(1|2[abxy]|5|6|7|y|gy)\$[\x21-\x7e]{1,250}$/.test(line));
  if (at >= 0)
    refuse(`line ${lines.indexOf(users[at] ?? '') + 1} must be name:hash, with a hash such as openssl passwd -6 makes`);
  const names = users.map((line) => line.slice(0, line.indexOf(':')));
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice >= 0) refuse(`line ${lines.lastIndexOf(users[twice] ?? '') + 1} names a user a second time`);
}
