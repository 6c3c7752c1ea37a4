import { ApiError } from '../client/api-error.ts';
import { FlotillaError, messageOf } from '../lib/errors.ts';

/** `error:` what, on which object, with which value; `hint:` the next step. */
export function renderError(thrown: unknown, isVerbose: boolean): { readonly text: string; readonly exitCode: number } {
  const lines = [`error: ${messageOf(thrown)}`];
  if (thrown instanceof ApiError) {
    for (const cause of thrown.status.details?.causes ?? []) {
      if (cause.field && !thrown.message.includes(cause.field)) lines.push(`  ${cause.field}: ${cause.message ?? ''}`);
    }
    const hint = apiHint(thrown);
    if (hint) lines.push(`hint: ${hint}`);
  }
  if (thrown instanceof FlotillaError && thrown.hint) lines.push(`hint: ${thrown.hint}`);
  const isKnown = thrown instanceof FlotillaError || thrown instanceof ApiError;
  if (isVerbose || !isKnown) lines.push(...stackOf(thrown));
  return {
    text: `${lines.join('\n')}\n`,
    exitCode: thrown instanceof FlotillaError && thrown.code === 'BadUsage' ? 2 : 1,
  };
}

function apiHint(error: ApiError): string | undefined {
  switch (error.status.reason) {
    case 'Unauthorized':
      return 'choose another context ("flotilla context ls") or ask for a new token';
    case 'Conflict':
      return 'somebody changed it at the same time: run the command again';
    default:
      return undefined;
  }
}

function stackOf(thrown: unknown): string[] {
  const lines: string[] = [];
  for (let error = thrown; error instanceof Error; error = error.cause) lines.push(error.stack ?? error.message);
  return lines;
}
