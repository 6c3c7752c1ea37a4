// In the store the fields of an owner are one text, and in memory objects with the same text share one tree: a thousand
// pods of one shape have the same owners, and trees of many small objects are what memory is spent on (ADR 0015).
import type { ManagedFieldsEntry } from 'kubernetes-types/meta/v1.js';
import { isObject } from '../../resources/json.ts';
import type { JsonObject } from '../../resources/schema.ts';

/** So many different texts are known at once; the ones used least recently are read anew. */
const maxShared = 2_048;
/** Owners of large objects are seldom the same. */
const maxSharedChars = 8_192;

export class SharedOwners {
  readonly #trees = new Map<string, JsonObject>();
  readonly #texts = new WeakMap<JsonObject, string>();

  /** As it is stored. `metadata` is not changed. */
  pack(metadata: JsonObject): JsonObject {
    const { managedFields } = metadata;
    if (!Array.isArray(managedFields)) return metadata;
    return { ...metadata, managedFields: managedFields.map((entry: ManagedFieldsEntry) => this.#packEntry(entry)) };
  }

  #packEntry(entry: ManagedFieldsEntry): JsonObject {
    const { fieldsV1 } = entry;
    if (!isObject(fieldsV1)) return { ...entry };
    return { ...entry, fieldsV1: this.#texts.get(fieldsV1) ?? JSON.stringify(fieldsV1) };
  }

  /** Changes `metadata`, which was just read. Forms from before texts are left as they are. */
  unpack(metadata: JsonObject): void {
    const { managedFields } = metadata;
    if (!Array.isArray(managedFields)) return;
    for (const entry of managedFields as unknown[]) {
      if (isObject(entry) && typeof entry.fieldsV1 === 'string') entry.fieldsV1 = this.#tree(entry.fieldsV1);
    }
  }

  #tree(text: string): JsonObject {
    if (text.length > maxSharedChars) return parseTree(text);
    const tree = this.#trees.get(text) ?? parseTree(text);
    // The order of a Map is that of its insertions: what is used moves to the end, the first goes.
    this.#trees.delete(text);
    this.#trees.set(text, tree);
    this.#texts.set(tree, text);
    if (this.#trees.size > maxShared) this.#trees.delete(this.#trees.keys().next().value ?? '');
    return tree;
  }
}

function parseTree(text: string): JsonObject {
  const value: unknown = JSON.parse(text);
  return isObject(value) ? value : {};
}
