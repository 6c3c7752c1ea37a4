// Questions about who may do what and who is who: answered by the same authorizer and authenticator that requests meet,
// never stored.
import type { TokenReviewStatus } from 'kubernetes-types/authentication/v1.js';
import type {
  NonResourceAttributes,
  ResourceAttributes,
  SubjectAccessReviewSpec,
  SubjectAccessReviewStatus,
  SubjectRulesReviewStatus,
} from 'kubernetes-types/authorization/v1.js';
import { invalid, invalidError, required } from '../../resources/field-errors.ts';
import {
  accessReviewBody,
  localAccessReviewBody,
  selfAccessReviewBody,
  selfReviewBody,
  selfRulesReviewBody,
  tokenReviewBody,
} from '../../resources/review-bodies.ts';
import { badRequest, forbidden, unknownPath } from '../registry/api-errors.ts';
import type { Authorizer, Decision, User } from '../request.ts';
import { type Exchange, sendJson } from './exchange.ts';
import { negotiate } from './negotiate.ts';
import { decodeBody, mediaType, readBody } from './request-body.ts';
import type { ReviewRoute } from './route.ts';

/** Whose token it is; `audiences` empty: those of this API. */
export type TokenReviewer = (token: string, audiences: readonly string[]) => Promise<TokenReviewStatus>;

export interface ReviewDependencies {
  readonly authorizer: Authorizer;
  /** Absent: no token is known. */
  readonly reviewToken?: TokenReviewer | undefined;
}

export async function handleReview(
  exchange: Exchange,
  dependencies: ReviewDependencies,
  route: ReviewRoute,
): Promise<void> {
  const { authorizer } = dependencies;
  const { user, grid } = exchange.context;
  const { review, namespace } = route;
  const where = namespace === undefined ? {} : { namespace };
  const decision = authorizer.authorize(user, { verb: 'create', grid, kind: review, ...where });
  if (!decision.allowed) throw forbidden(review, undefined, decision.reason);
  negotiate(exchange.request.headers.accept, ['Object']);
  const body = await readBody(exchange.request);
  const type = mediaType(exchange.request);
  const answer = async (object: object, status: object) =>
    await sendJson(exchange, { ...object, metadata: { creationTimestamp: null }, status }, { code: 201 });
  switch (review.plural) {
    case 'selfsubjectreviews': {
      const { object } = decodeBody(selfReviewBody, body, type, 'Ignore');
      return await answer(object, { userInfo: userInfo(user) });
    }
    case 'selfsubjectaccessreviews': {
      const { object } = decodeBody(selfAccessReviewBody, body, type, 'Ignore');
      return await answer(object, accessStatus(authorizer, user, grid, object.spec, review.kind));
    }
    case 'selfsubjectrulesreviews': {
      const { object } = decodeBody(selfRulesReviewBody, body, type, 'Ignore');
      return await answer(object, rulesStatus(authorizer, user, grid, object.spec?.namespace));
    }
    case 'subjectaccessreviews': {
      const { object } = decodeBody(accessReviewBody, body, type, 'Ignore');
      return await answer(
        object,
        accessStatus(authorizer, subjectOf(object.spec, user), grid, object.spec, review.kind),
      );
    }
    case 'localsubjectaccessreviews': {
      const { object } = decodeBody(localAccessReviewBody, body, type, 'Ignore');
      const asked = object.spec?.resourceAttributes;
      if (asked?.namespace !== namespace) {
        const at = 'spec.resourceAttributes.namespace';
        throw invalidError(review, '', [invalid(at, asked?.namespace ?? '', 'must match metadata.namespace')]);
      }
      return await answer(
        object,
        accessStatus(authorizer, subjectOf(object.spec, user), grid, object.spec, review.kind),
      );
    }
    case 'tokenreviews': {
      const { object } = decodeBody(tokenReviewBody, body, type, 'Ignore');
      if (!object.spec?.token) throw invalidError(review, '', [required('spec.token')]);
      const unknown: TokenReviewStatus = { authenticated: false, error: 'this server knows no tokens' };
      const status = await dependencies.reviewToken?.(object.spec.token, object.spec.audiences ?? []);
      return await answer(object, status ?? unknown);
    }
    default:
      throw unknownPath();
  }
}

export function userInfo({ name, uid, groups, extra }: User): object {
  return { username: name, ...(uid === undefined ? {} : { uid }), groups, ...(extra ? { extra } : {}) };
}

/** Whom a SubjectAccessReview asks about; he is bound to the grid to which the asking one is. */
function subjectOf(spec: SubjectAccessReviewSpec | undefined, { grid }: User): User {
  const { user = '', groups = [], uid } = spec ?? {};
  if (user === '' && groups.length === 0) {
    const why = 'at least one of user or group must be specified';
    throw invalidError({ group: 'authorization.k8s.io', kind: 'SubjectAccessReview' }, '', [
      invalid('spec.user', user, why),
    ]);
  }
  return { name: user, groups, ...(uid ? { uid } : {}), ...(grid === undefined ? {} : { grid }) };
}

interface AccessSpec {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: NonResourceAttributes;
}

function accessStatus(
  authorizer: Authorizer,
  user: User,
  grid: string,
  { resourceAttributes, nonResourceAttributes }: AccessSpec = {},
  kind: string,
): SubjectAccessReviewStatus {
  if ((resourceAttributes === undefined) === (nonResourceAttributes === undefined)) {
    const why = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    throw invalidError({ group: 'authorization.k8s.io', kind }, '', [invalid('spec.resourceAttributes', null, why)]);
  }
  if (nonResourceAttributes) {
    const { verb = '', path = '' } = nonResourceAttributes;
    return statusOf(authorizer.authorizePath(user, { grid, verb, path }));
  }
  const { verb = '', group = '', resource = '', namespace, name, subresource } = resourceAttributes ?? {};
  if (verb === '' || resource === '') throw badRequest('spec.resourceAttributes: verb and resource are required');
  const question = {
    verb,
    grid,
    kind: { group, plural: resource, namespaced: true },
    ...(namespace ? { namespace } : {}),
    ...(name ? { name } : {}),
    ...(subresource ? { subresource } : {}),
  };
  return statusOf(authorizer.authorize(user, question));
}

/** kubectl writes the reason behind its `no`: only what the question itself does not say. */
function statusOf(decision: Decision): SubjectAccessReviewStatus {
  if (decision.allowed) return { allowed: true };
  return { allowed: false, ...(decision.why === undefined ? {} : { reason: decision.why }) };
}

function rulesStatus(
  authorizer: Authorizer,
  user: User,
  grid: string,
  namespace: string | undefined,
): SubjectRulesReviewStatus {
  if (!namespace) throw badRequest('no namespace on request');
  const { rules, problems, isIncomplete } = authorizer.rulesOf(user, grid, namespace);
  const resourceRules = rules
    .filter((rule) => (rule.resources?.length ?? 0) > 0)
    .map(({ verbs, apiGroups = [], resources = [], resourceNames }) => ({
      verbs,
      apiGroups,
      resources,
      ...(resourceNames ? { resourceNames } : {}),
    }));
  const nonResourceRules = rules
    .filter((rule) => (rule.nonResourceURLs?.length ?? 0) > 0)
    .map(({ verbs, nonResourceURLs = [] }) => ({ verbs, nonResourceURLs }));
  return {
    resourceRules,
    nonResourceRules,
    incomplete: isIncomplete || problems.length > 0,
    ...(problems.length === 0 ? {} : { evaluationError: problems.join(', ') }),
  };
}
