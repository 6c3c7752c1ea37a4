import { isApiError } from '../client/api-error.ts';
import type { Client, DeleteOptions } from '../client/client.ts';
import type { ApiObject } from '../resources/object.ts';
import { refOf } from './owners.ts';
import type { SharedInformer } from './shared-informer.ts';

/** Writes that the own informer knows of at once. All of them carry the revision or the uid that was read. */
export interface ObjectWriter {
  /** Undefined: an object of this name exists already. */
  create<T extends ApiObject>(informer: SharedInformer<T>, object: T, signal: AbortSignal): Promise<T | undefined>;
  /** Throws ApiError Conflict when somebody wrote since `object` was read. */
  update<T extends ApiObject>(informer: SharedInformer<T>, object: T, signal: AbortSignal): Promise<T>;
  updateStatus<T extends ApiObject>(informer: SharedInformer<T>, object: T, signal: AbortSignal): Promise<T>;
  /** Deletes exactly this object; one that is gone or another one by now is fine. */
  remove<T extends ApiObject>(informer: SharedInformer<T>, object: T, options: DeleteOptions): Promise<void>;
}

export function createObjectWriter(client: Client): ObjectWriter {
  return {
    create: async (informer, object, signal) => {
      try {
        const made = await client.create(informer.kind, object, { signal });
        informer.noteWritten(made, undefined);
        return made;
      } catch (error) {
        if (isApiError(error, 'AlreadyExists')) return undefined;
        throw error;
      }
    },
    update: async (informer, object, signal) => {
      const readVersion = object.metadata.resourceVersion;
      const written = await client.update(informer.kind, object, { signal });
      informer.noteWritten(written, readVersion);
      return written;
    },
    updateStatus: async (informer, object, signal) => {
      const readVersion = object.metadata.resourceVersion;
      const written = await client.updateStatus(informer.kind, object, { signal });
      informer.noteWritten(written, readVersion);
      return written;
    },
    remove: async (informer, object, options) => {
      try {
        const uid = object.metadata.uid;
        await client.delete(informer.kind, refOf(object), { ...options, ...(uid === undefined ? {} : { uid }) });
        informer.noteDeleted(object);
      } catch (error) {
        if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) throw error;
      }
    },
  };
}
