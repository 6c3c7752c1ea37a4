import { FlotillaError } from '../lib/errors.ts';
import { isObject } from './json.ts';
import { apiVersionOf, type Kind, resourceNameOf, type StoredForm } from './kind.ts';
import type { ApiObject } from './object.ts';

/** What is written for one object: the number of its form, and the object without its resourceVersion. */
export interface Stored {
  readonly v: number;
  readonly o: StoredForm;
}

export function toStored(kind: Kind, object: ApiObject): Stored {
  const { resourceVersion: _resourceVersion, ...metadata } = object.metadata;
  return { v: kind.storageVersion, o: { ...object, metadata } };
}

/**
 * The object in today's form, migrated step by step; without resourceVersion, which is the store's revision.
 * Throws FlotillaError StoreTooNew when a newer release wrote it, StoreCorrupt when it is not an object of this kind.
 */
export function fromStored<T extends ApiObject>(kind: Kind<T>, stored: unknown): T {
  const { v: version, o: object } = isObject(stored) ? stored : {};
  if (!Number.isInteger(version) || !isObject(object) || !isObject(object.metadata)) {
    throw corrupt(kind, 'the stored value is not of the form {"v":<number>,"o":{"metadata":{…}}}');
  }
  let form: StoredForm = object;
  if ((version as number) > kind.storageVersion) {
    throw new FlotillaError(
      'StoreTooNew',
      `${resourceNameOf(kind)} ${describe(form)} has storage version ${version as number}, this release knows ` +
        `${kind.storageVersion}`,
      { hint: 'run the newer release that wrote it' },
    );
  }
  for (let from = version as number; from < kind.storageVersion; from += 1) {
    const migrate = kind.migrations[from];
    if (!migrate) throw corrupt(kind, `nothing leads from storage version ${from} to ${from + 1} of ${describe(form)}`);
    form = migrate(form);
  }
  return { ...form, apiVersion: apiVersionOf(kind), kind: kind.kind } as unknown as T;
}

function describe(form: StoredForm): string {
  const { namespace, name } = form.metadata as { namespace?: string; name?: string };
  return JSON.stringify(namespace === undefined ? name : `${namespace}/${name}`);
}

function corrupt(kind: Kind, why: string): FlotillaError {
  return new FlotillaError('StoreCorrupt', `cannot read ${resourceNameOf(kind)} from the store: ${why}`);
}
