import { FlotillaError } from '../../lib/errors.ts';
import type { Kind } from '../../resources/kind.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { JsonObject } from '../../resources/schema.ts';
import { fromStored, toStored } from '../../resources/stored.ts';
import type { Cipher } from './cipher.ts';
import { SharedOwners } from './packed-owners.ts';
import type { ResourceVersions } from './resource-version.ts';

/** Objects to the store's bytes and back; see "Keys" in ARCHITECTURE.md. */
export interface ObjectCodec {
  readonly versions: ResourceVersions;
  encode(kind: Kind, key: string, object: ApiObject): Uint8Array;
  /** Migrated to the newest storage version, with `metadata.resourceVersion`. Throws FlotillaError StoreCorrupt. */
  decode(kind: Kind, key: string, value: Uint8Array, revision: number): ApiObject;
}

/** Kinds marked `encrypted` are `{"v":…,"e":"<sealed>"}`; what is sealed is the JSON of the object. */
export function createObjectCodec(cipher: Cipher, versions: ResourceVersions): ObjectCodec {
  /** What was sealed here a moment ago comes back through the watch: the same bytes need not be opened. */
  const sealedHere = new WeakMap<Uint8Array, { readonly key: string; readonly v: number; readonly json: string }>();
  const owners = new SharedOwners();
  return {
    versions,
    encode: (kind, key, object) => {
      const { v, o: form } = toStored(kind, object);
      const o = { ...form, metadata: owners.pack(form.metadata as JsonObject) };
      if (!kind.encrypted) return Buffer.from(JSON.stringify({ v, o }));
      const json = JSON.stringify(o);
      const value = Buffer.from(`{"v":${v},"e":"${cipher.seal(key, json)}"}`);
      sealedHere.set(value, { key, v, json });
      return value;
    },
    decode: (kind, key, value, revision) => {
      const own = sealedHere.get(value);
      if (own?.key === key) return decoded(kind, { v: own.v, o: parse(key, own.json) }, revision);
      const form = parse(key, Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()) as Form;
      const stored = typeof form.e === 'string' ? { v: form.v, o: parse(key, cipher.open(key, form.e)) } : form;
      return decoded(kind, stored, revision);
    },
  };

  function decoded(kind: Kind, stored: unknown, revision: number): ApiObject {
    const object = fromStored(kind, stored);
    owners.unpack(object.metadata as unknown as JsonObject);
    return { ...object, metadata: { ...object.metadata, resourceVersion: versions.format(revision) } };
  }
}

interface Form {
  readonly v: unknown;
  readonly o?: unknown;
  readonly e?: unknown;
}

function parse(key: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FlotillaError('StoreCorrupt', `the value of ${key} is not JSON`, { cause });
  }
}
