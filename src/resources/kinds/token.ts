import { formatTime } from '../conditions.ts';
import { ageColumn, column, defineKind, nameColumn, statusSubresource } from '../define-kind.ts';
import { invalid, required } from '../field-errors.ts';
import { objectMeta } from '../meta.ts';
import { dnsLabel } from '../name-checks.ts';
import { field, message } from '../schema.ts';
import type { Token } from '../stack-types.ts';
import { requireSame } from '../validate.ts';

const identity = { group: 'flotilla.dev', version: 'v1alpha1', kind: 'Token', plural: 'tokens' };

/** Whoever finds a join token may add a host: it does not lie around for ever. */
const defaultJoinMs = 3_600_000;
const maxJoinMs = 30 * 86_400_000;

/** The server writes it before anything looks. */
function createdMs({ metadata }: Token): number {
  return Date.parse(metadata.creationTimestamp ?? '');
}

export const tokens = defineKind<Token>({
  ...identity,
  namespaced: false,
  subresources: [statusSubresource(identity)],
  message: message('Token', {
    metadata: field(0, objectMeta),
    spec: field(
      0,
      message('TokenSpec', {
        type: field(0, 'string', { required: true, allowed: ['admin', 'join'] }),
        grid: field(0, 'string', { check: dnsLabel, description: 'A join token’s nodes belong to it.' }),
        expiresAt: field(0, 'time', {
          description: 'Absent: never; for a join token one hour from now, and 30 days at most.',
        }),
        description: field(0, 'string'),
      }),
      { required: true },
    ),
    status: field(
      0,
      message('TokenStatus', {
        secretHash: field(0, 'string'),
        token: field(0, 'string', { secret: true, description: 'Only in the answer to its creation.' }),
      }),
    ),
  }),
  columns: [
    nameColumn(),
    column('Type', 'admin or join.', (token) => token.spec.type),
    column('Grid', 'Of a join token.', (token) => token.spec.grid || '<none>'),
    column('Expires', 'When it ends.', (token) => token.spec.expiresAt ?? 'never'),
    column('Description', 'What it is for.', (token) => token.spec.description ?? '', { priority: 1 }),
    ageColumn(),
  ],
  prepareForCreate: (token) => {
    // It has not been validated yet.
    if (token.spec?.type !== 'join' || token.spec.expiresAt) return token;
    const expiresAt = formatTime(createdMs(token) + defaultJoinMs);
    return { ...token, spec: { ...token.spec, expiresAt } };
  },
  validate: (token, errors) => {
    if (token.spec?.type !== 'join') return;
    const { grid, expiresAt } = token.spec;
    if (!grid) errors.push(required('spec.grid', 'a join token has a grid'));
    if (!expiresAt) errors.push(required('spec.expiresAt', 'a join token ends'));
    else if (Date.parse(expiresAt) > createdMs(token) + maxJoinMs) {
      errors.push(invalid('spec.expiresAt', expiresAt, 'a join token is good for 30 days at most'));
    }
  },
  validateUpdate: (token, old, errors) => {
    requireSame(token.spec.type, old.spec.type, 'spec.type', errors);
    requireSame(token.spec.grid, old.spec.grid, 'spec.grid', errors);
  },
});
