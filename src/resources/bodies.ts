// Bodies of requests that are no objects of their own.
import type { Binding } from 'kubernetes-types/core/v1.js';
import type { DeleteOptions } from 'kubernetes-types/meta/v1.js';
import type { Decodable } from './decode.ts';
import { deleteOptions, objectMeta, objectReference } from './meta.ts';
import type { Scale } from './scale.ts';
import { field, message } from './schema.ts';

type Body<T> = Decodable & { readonly type?: T };

/** Sent with DELETE, under whatever version the client happens to use. */
export const deleteOptionsBody: Body<DeleteOptions> = {
  group: '',
  version: 'v1',
  kind: 'DeleteOptions',
  message: deleteOptions,
  aliases: ['meta.k8s.io/v1', 'apps/v1', 'discovery.k8s.io/v1', 'coordination.k8s.io/v1', 'flotilla.dev/v1alpha1'],
};

export const bindingBody: Body<Binding> = {
  group: '',
  version: 'v1',
  kind: 'Binding',
  message: message('Binding', {
    metadata: field(1, objectMeta),
    target: field(2, objectReference, { required: true }),
  }),
};

export const scaleBody: Body<Scale> = {
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  message: message('Scale', {
    metadata: field(1, objectMeta),
    spec: field(2, message('ScaleSpec', { replicas: field(1, 'int32', { min: 0 }) })),
    status: field(3, message('ScaleStatus', { replicas: field(1, 'int32'), selector: field(2, 'string') })),
  }),
};
