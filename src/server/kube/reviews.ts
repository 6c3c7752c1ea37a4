// `kubectl auth whoami` and `can-i`: questions about oneself, answered by the authorizer, never stored.
import type { Decodable } from '../../resources/decode.ts';
import type { Kind } from '../../resources/kind.ts';
import { allKinds } from '../../resources/kinds.ts';
import { objectMeta } from '../../resources/meta.ts';
import { adminGroup } from '../../resources/names.ts';
import { field, message } from '../../resources/schema.ts';
import { badRequest, unknownPath } from '../registry/api-errors.ts';
import type { Attributes, Authorizer, Decision, RequestContext } from '../request.ts';
import { type Exchange, sendJson } from './exchange.ts';
import { decodeBody, mediaType, readBody } from './request-body.ts';

interface ResourceAttributes {
  readonly namespace?: string;
  readonly verb?: string;
  readonly group?: string;
  readonly resource?: string;
  readonly subresource?: string;
  readonly name?: string;
}

interface AccessReview {
  readonly spec?: {
    readonly resourceAttributes?: ResourceAttributes;
    readonly nonResourceAttributes?: { readonly path?: string; readonly verb?: string };
  };
}

type Body<T> = Decodable & { readonly type?: T };

const accessReview: Body<AccessReview> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectAccessReview',
  message: message('SelfSubjectAccessReview', {
    metadata: field(1, objectMeta),
    spec: field(
      2,
      message('SelfSubjectAccessReviewSpec', {
        resourceAttributes: field(
          1,
          message('ResourceAttributes', {
            namespace: field(1, 'string'),
            verb: field(2, 'string'),
            group: field(3, 'string'),
            version: field(4, 'string'),
            resource: field(5, 'string'),
            subresource: field(6, 'string'),
            name: field(7, 'string'),
          }),
        ),
        nonResourceAttributes: field(
          2,
          message('NonResourceAttributes', { path: field(1, 'string'), verb: field(2, 'string') }),
        ),
      }),
    ),
  }),
};

const rulesReview: Body<{ readonly spec?: { readonly namespace?: string } }> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  kind: 'SelfSubjectRulesReview',
  message: message('SelfSubjectRulesReview', {
    metadata: field(1, objectMeta),
    spec: field(2, message('SelfSubjectRulesReviewSpec', { namespace: field(1, 'string') })),
  }),
};

export async function handleReview(exchange: Exchange, authorizer: Authorizer, plural: string): Promise<void> {
  const { context, request } = exchange;
  const body = await readBody(request);
  if (plural === 'selfsubjectreviews') return await answer(exchange, selfReview(context));
  if (plural === 'selfsubjectaccessreviews') {
    const { object } = decodeBody(accessReview, body, mediaType(request), 'Ignore');
    return await answer(exchange, { ...object, status: accessStatus(context, authorizer, object) });
  }
  if (plural === 'selfsubjectrulesreviews') {
    const { object } = decodeBody(rulesReview, body, mediaType(request), 'Ignore');
    return await answer(exchange, { ...object, status: rulesStatus(context, authorizer, object.spec?.namespace) });
  }
  throw unknownPath();
}

async function answer(exchange: Exchange, object: object): Promise<void> {
  await sendJson(exchange, object, { code: 201 });
}

function selfReview({ user }: RequestContext): object {
  return {
    kind: 'SelfSubjectReview',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { creationTimestamp: null },
    status: { userInfo: { username: user.name, groups: user.groups } },
  };
}

function accessStatus(context: RequestContext, authorizer: Authorizer, { spec }: AccessReview): object {
  const { resourceAttributes, nonResourceAttributes } = spec ?? {};
  if (resourceAttributes) {
    const decision = mayAccess(context, authorizer, resourceAttributes);
    return decision.allowed ? { allowed: true } : { allowed: false, reason: decision.reason };
  }
  if (!nonResourceAttributes) throw badRequest('spec.resourceAttributes or spec.nonResourceAttributes is required');
  return { allowed: context.user.groups.includes(adminGroup) };
}

function mayAccess(context: RequestContext, authorizer: Authorizer, asked: ResourceAttributes): Decision {
  const { verb = '', group = '', resource = '', namespace, name, subresource } = asked;
  const kinds = allKinds.filter(
    (kind) => (resource === '*' || kind.plural === resource) && (group === '*' || kind.group === group),
  );
  if (kinds.length === 0)
    return { allowed: false, reason: `nothing named "${resource}" is served in group "${group}"` };
  for (const kind of kinds) {
    for (const one of verb === '*' ? kind.verbs : [verb]) {
      const decision = authorizer.authorize(context.user, {
        verb: one as Attributes['verb'],
        grid: context.grid,
        kind,
        ...(namespace ? { namespace } : {}),
        ...(name ? { name } : {}),
        ...(subresource ? { subresource } : {}),
      });
      if (!decision.allowed) return decision;
    }
  }
  return { allowed: true };
}

/** Without names and selectors: what one may do with any object of a kind. */
function rulesStatus(context: RequestContext, authorizer: Authorizer, namespace: string | undefined): object {
  const rules = allKinds.map((kind: Kind) => ({
    verbs: kind.verbs.filter(
      (verb) =>
        mayAccess(context, authorizer, { ...attributesFor(kind), verb, ...(namespace ? { namespace } : {}) }).allowed,
    ),
    apiGroups: [kind.group],
    resources: [kind.plural],
  }));
  const nonResourceRules = context.user.groups.includes(adminGroup) ? [{ verbs: ['*'], nonResourceURLs: ['*'] }] : [];
  return { resourceRules: rules.filter((rule) => rule.verbs.length > 0), nonResourceRules, incomplete: true };
}

function attributesFor(kind: Kind): ResourceAttributes {
  return { group: kind.group, resource: kind.plural };
}
