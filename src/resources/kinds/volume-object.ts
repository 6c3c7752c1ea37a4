import { ageColumn, column, defineKind, nameColumn, statusSubresource } from '../define-kind.ts';
import { invalid } from '../field-errors.ts';
import { objectMeta } from '../meta.ts';
import { dnsSubdomain } from '../name-checks.ts';
import { finalizers } from '../names.ts';
import { field, message } from '../schema.ts';
import type { Volume } from '../stack-types.ts';

const identity = { group: 'flotilla.dev', version: 'v1alpha1', kind: 'Volume', plural: 'volumes' };

const volumeSpec = message(
  'VolumeSpec',
  {
    nodeName: field(0, 'string', {
      check: dnsSubdomain,
      description: 'Where its files are. Written once, when the first pod that uses it is placed.',
    }),
  },
  { description: 'Where its files are.' },
);

const volumeStatus = message(
  'VolumeStatus',
  {
    phase: field(0, 'string', {
      allowed: ['Pending', 'Bound'],
      description: 'Bound once the files are there.',
    }),
  },
  { description: 'Whether the files are there.' },
);

export const volumes = defineKind<Volume>({
  ...identity,
  shortNames: ['vol'],
  categories: ['all'],
  subresources: [statusSubresource(identity)],
  message: message(
    'Volume',
    {
      metadata: field(0, objectMeta),
      spec: field(0, volumeSpec, { default: {} }),
      status: field(0, volumeStatus),
    },
    { description: 'Files that outlive the pods that use them, on one node.' },
  ),
  selectableFields: { 'spec.nodeName': (volume) => volume.spec.nodeName ?? '' },
  columns: [
    nameColumn(),
    column('Node', 'Where its files are.', (volume) => volume.spec.nodeName || '<none>'),
    column('Status', 'Bound once it exists on its node.', (volume) => volume.status?.phase ?? 'Pending'),
    ageColumn(),
  ],
  prepareForCreate: (volume) => {
    const held = new Set([...(volume.metadata.finalizers ?? []), finalizers.volumeData]);
    return { ...volume, metadata: { ...volume.metadata, finalizers: [...held] }, status: { phase: 'Pending' } };
  },
  validateUpdate: (volume, old, errors) => {
    if (old.spec.nodeName && volume.spec.nodeName !== old.spec.nodeName) {
      const detail = `field is immutable: the files are on ${old.spec.nodeName}`;
      errors.push(invalid('spec.nodeName', volume.spec.nodeName ?? '', detail));
    }
  },
});
