import type { FailureStage, WireOutcome } from './outcome.ts';

export type Verdict =
  | { readonly instance: string; readonly setCookies: readonly string[] }
  | { readonly stage: FailureStage; readonly error: string };

/** Whether it is a whole 200, and the answer to this very request: `<id> <instance>`. */
export function judge(id: string, outcome: WireOutcome): Verdict {
  if ('stage' in outcome) {
    const { stage, error } = outcome;
    // Every connection said that it takes no more.
    return stage === 'unsent' ? { stage: 'connect', error: `no connection took it: ${error}` } : { stage, error };
  }
  const { status, body, setCookies } = outcome;
  const said = body.slice(0, 80).replaceAll('\n', ' ').trim();
  if (status !== 200) return { stage: 'status', error: `${status} ${said}`.trim() };
  const [answered, instance = ''] = body.trim().split(' ');
  if (answered !== id || instance === '') return { stage: 'wrong', error: `an answer to ${JSON.stringify(said)}` };
  return { instance, setCookies };
}
