import { ageColumn, column, defineKind, nameColumn } from '../define-kind.ts';
import { required } from '../field-errors.ts';
import type { ControllerRevision } from '../kinds.ts';
import { objectMeta } from '../meta.ts';
import { field, message } from '../schema.ts';
import { requireSame } from '../validate.ts';

/** What a controller remembers of a former state of the object that owns it; Flotilla's own are the versions of stacks. */
export const controllerRevisions = defineKind<ControllerRevision>({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  // It holds whatever its maker puts in: a pod template with its variables, for one.
  encrypted: true,
  message: message('ControllerRevision', {
    metadata: field(1, objectMeta),
    data: field(2, 'fieldsV1', { description: 'The state, in whatever form its maker likes.' }),
    revision: field(3, 'int64', { min: 0, description: 'Counts up.' }),
  }),
  columns: [
    nameColumn(),
    column('Controller', 'Who it belongs to.', controllerOf),
    column('Revision', 'Which state it is.', (one) => one.revision ?? 0, { type: 'integer' }),
    ageColumn(),
  ],
  validate: (one, errors) => {
    if (one.data === undefined) errors.push(required('data', 'data is mandatory'));
  },
  validateUpdate: (one, old, errors) => requireSame(one.data, old.data, 'data', errors),
});

/** `statefulset.apps/web` */
function controllerOf({ metadata }: ControllerRevision): string {
  const owner = metadata.ownerReferences?.find((one) => one.controller);
  if (!owner) return '<none>';
  const [version = '', ...rest] = owner.apiVersion.split('/').reverse();
  const group = version && rest.length > 0 ? `.${rest[0]}` : '';
  return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
}
