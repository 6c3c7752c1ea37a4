import { messageOf } from '../../lib/errors.ts';
import { ApiError } from '../../resources/api-error.ts';
import type { TokenReviewer } from '../kube/reviews.ts';
import { userInfo } from '../kube/reviews.ts';
import type { User } from '../request.ts';
import { apiAudience } from './service-account/token-claims.ts';
import { isJwt, type ServiceAccountTokens } from './service-account/tokens.ts';

export interface TokenReviewerOptions {
  readonly serviceAccounts: Pick<ServiceAccountTokens, 'check'>;
  /** Of a token that this API takes. Throws ApiError 401. */
  readonly authenticate: (token: string) => Promise<User>;
}

/** Tokens that are none of a service account are for this API alone. */
export function createTokenReviewer({ serviceAccounts, authenticate }: TokenReviewerOptions): TokenReviewer {
  return async (token, asked) => {
    const wanted = asked.length === 0 ? [apiAudience] : asked;
    if (isJwt(token)) {
      const check = await serviceAccounts.check(token, wanted);
      if ('refused' in check) return { authenticated: false, error: check.refused };
      return { authenticated: true, user: userInfo(check.user), audiences: [...check.audiences] };
    }
    try {
      if (!wanted.includes(apiAudience)) return { authenticated: false, error: 'the token is for this API alone' };
      return { authenticated: true, user: userInfo(await authenticate(token)), audiences: [apiAudience] };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { authenticated: false, error: messageOf(error) };
    }
  };
}
