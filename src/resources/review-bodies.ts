// Bodies of questions: they are answered, never stored.
import type { TokenRequest, TokenReview } from 'kubernetes-types/authentication/v1.js';
import type {
  LocalSubjectAccessReview,
  SelfSubjectAccessReview,
  SelfSubjectRulesReview,
  SubjectAccessReview,
} from 'kubernetes-types/authorization/v1.js';
import type { Eviction } from 'kubernetes-types/policy/v1.js';
import type { Decodable } from './decode.ts';
import { deleteOptions, objectMeta } from './meta.ts';
import { field, listOf, mapOf, message } from './schema.ts';

type Body<T> = Decodable & { readonly type?: T };

const selectorAttributes = message('SelectorAttributes', {
  rawSelector: field(1, 'string'),
  requirements: field(2, listOf('any')),
});
const resourceAttributes = message('ResourceAttributes', {
  namespace: field(1, 'string'),
  verb: field(2, 'string'),
  group: field(3, 'string'),
  version: field(4, 'string'),
  resource: field(5, 'string'),
  subresource: field(6, 'string'),
  name: field(7, 'string'),
  fieldSelector: field(8, selectorAttributes),
  labelSelector: field(9, selectorAttributes),
});
const nonResourceAttributes = message('NonResourceAttributes', { path: field(1, 'string'), verb: field(2, 'string') });
const authorization = { group: 'authorization.k8s.io', version: 'v1' } as const;
const authentication = { group: 'authentication.k8s.io', version: 'v1' } as const;

export const selfAccessReviewBody: Body<SelfSubjectAccessReview> = {
  ...authorization,
  kind: 'SelfSubjectAccessReview',
  message: message('SelfSubjectAccessReview', {
    metadata: field(1, objectMeta),
    spec: field(
      2,
      message('SelfSubjectAccessReviewSpec', {
        resourceAttributes: field(1, resourceAttributes),
        nonResourceAttributes: field(2, nonResourceAttributes),
      }),
    ),
  }),
};

const accessReview = (kind: string) =>
  message(kind, {
    metadata: field(1, objectMeta),
    spec: field(
      2,
      message('SubjectAccessReviewSpec', {
        resourceAttributes: field(1, resourceAttributes),
        nonResourceAttributes: field(2, nonResourceAttributes),
        user: field(3, 'string'),
        groups: field(4, listOf('string')),
        // No rule looks at it.
        extra: field(5, mapOf('any')),
        uid: field(6, 'string'),
      }),
    ),
  });

export const accessReviewBody: Body<SubjectAccessReview> = {
  ...authorization,
  kind: 'SubjectAccessReview',
  message: accessReview('SubjectAccessReview'),
};

export const localAccessReviewBody: Body<LocalSubjectAccessReview> = {
  ...authorization,
  kind: 'LocalSubjectAccessReview',
  message: accessReview('LocalSubjectAccessReview'),
};

export const selfRulesReviewBody: Body<SelfSubjectRulesReview> = {
  ...authorization,
  kind: 'SelfSubjectRulesReview',
  message: message('SelfSubjectRulesReview', {
    metadata: field(1, objectMeta),
    spec: field(2, message('SelfSubjectRulesReviewSpec', { namespace: field(1, 'string') })),
  }),
};

export const selfReviewBody: Body<object> = {
  ...authentication,
  kind: 'SelfSubjectReview',
  message: message('SelfSubjectReview', { metadata: field(1, objectMeta) }),
};

export const tokenReviewBody: Body<TokenReview> = {
  ...authentication,
  kind: 'TokenReview',
  message: message('TokenReview', {
    metadata: field(1, objectMeta),
    spec: field(
      2,
      message('TokenReviewSpec', {
        token: field(1, 'string', { secret: true }),
        audiences: field(2, listOf('string')),
      }),
    ),
  }),
};

/** `POST serviceaccounts/<name>/token`. */
export const tokenRequestBody: Body<TokenRequest> = {
  ...authentication,
  kind: 'TokenRequest',
  message: message('TokenRequest', {
    metadata: field(1, objectMeta),
    spec: field(
      2,
      message('TokenRequestSpec', {
        audiences: field(1, listOf('string')),
        boundObjectRef: field(
          3,
          message('BoundObjectReference', {
            kind: field(1, 'string'),
            apiVersion: field(2, 'string'),
            name: field(3, 'string'),
            uid: field(4, 'string'),
          }),
        ),
        expirationSeconds: field(4, 'int64', { optional: true }),
      }),
    ),
  }),
};

/** `POST pods/<name>/eviction`; clients before policy/v1 send v1beta1, which is the same. */
export const evictionBody: Body<Eviction> = {
  group: 'policy',
  version: 'v1',
  kind: 'Eviction',
  aliases: ['policy/v1beta1'],
  message: message('Eviction', { metadata: field(1, objectMeta), deleteOptions: field(2, deleteOptions) }),
};
