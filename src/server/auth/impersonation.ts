// `kubectl --as`: whoever may, is taken for somebody else. Kubernetes' headers and rules.
import type { IncomingHttpHeaders } from 'node:http';
import { badRequest, forbidden } from '../registry/api-errors.ts';
import type { AccessQuestion, Authorizer, User } from '../request.ts';
import {
  authenticatedGroup,
  parseServiceAccountUser,
  serviceAccountGroups,
} from './service-account/service-account-user.ts';

const anonymousUser = 'system:anonymous';
const unauthenticatedGroup = 'system:unauthenticated';
const extraPrefix = 'impersonate-extra-';

interface Wanted {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid: string | undefined;
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/**
 * Whom the request asks to be taken for; undefined: for nobody else. He has the grid of who asks. Throws ApiError 403 when
 * one of the name, groups, uid or extras may not be taken, 400 when the headers make no sense.
 */
export function impersonatedUser(
  authorizer: Authorizer,
  user: User,
  grid: string,
  headers: IncomingHttpHeaders,
): User | undefined {
  const wanted = wantedUser(headers);
  if (!wanted) return undefined;
  for (const question of questionsOf(wanted, grid)) {
    const decision = authorizer.authorize(user, question);
    if (!decision.allowed) throw forbidden(question.kind, question.name, decision.reason);
  }
  const { name, uid, extra } = wanted;
  return {
    name,
    groups: groupsOf(wanted),
    ...(uid === undefined ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
    ...(user.grid === undefined ? {} : { grid: user.grid }),
  };
}

function wantedUser(headers: IncomingHttpHeaders): Wanted | undefined {
  const name = valuesOf(headers, 'impersonate-user')[0] ?? '';
  const groups = valuesOf(headers, 'impersonate-group');
  const [uid] = valuesOf(headers, 'impersonate-uid');
  const extra: Record<string, readonly string[]> = {};
  for (const header of Object.keys(headers)) {
    if (!header.startsWith(extraPrefix)) continue;
    extra[decoded(header.slice(extraPrefix.length))] = valuesOf(headers, header);
  }
  if (name === '') {
    if (groups.length === 0 && uid === undefined && Object.keys(extra).length === 0) return undefined;
    throw badRequest('requested impersonation of groups, a uid or extras without impersonating a user');
  }
  return { name, groups, uid, extra };
}

/** Node joins repeated headers with `, `; names and groups of ours hold no comma, group names of others may not either. */
function valuesOf(headers: IncomingHttpHeaders, name: string): string[] {
  const value = headers[name];
  const list = Array.isArray(value) ? value : (value ?? '').split(', ');
  return list.filter((one) => one !== '');
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    throw badRequest(`the header ${extraPrefix}${key} has broken percent-encoding`);
  }
}

function* questionsOf({ name, groups, uid, extra }: Wanted, grid: string): Iterable<AccessQuestion> {
  const verb = 'impersonate';
  const account = parseServiceAccountUser(name);
  const kind = (plural: string, group = '') => ({ group, plural, namespaced: false });
  if (account) {
    const serviceAccounts = { group: '', plural: 'serviceaccounts', namespaced: true };
    yield { verb, grid, kind: serviceAccounts, namespace: account.namespace, name: account.name };
  } else yield { verb, grid, kind: kind('users'), name };
  for (const group of groups) yield { verb, grid, kind: kind('groups'), name: group };
  if (uid !== undefined) yield { verb, grid, kind: kind('uids', 'authentication.k8s.io'), name: uid };
  for (const [key, values] of Object.entries(extra)) {
    for (const value of values) {
      yield { verb, grid, kind: kind('userextras', 'authentication.k8s.io'), subresource: key, name: value };
    }
  }
}

/** Groups that a real user of that name would have come with. */
function groupsOf({ name, groups }: Wanted): readonly string[] {
  const account = parseServiceAccountUser(name);
  const own = groups.length === 0 && account ? serviceAccountGroups(account.namespace) : groups;
  const always = name === anonymousUser ? unauthenticatedGroup : authenticatedGroup;
  return own.includes(always) || own.includes(unauthenticatedGroup) ? own : [...own, always];
}
