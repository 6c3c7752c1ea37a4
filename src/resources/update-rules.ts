// How a Deployment is updated beside what its strategy says: opt-in annotations, which the stack compiler writes.
import { parseDurationMs } from '../lib/quantities.ts';
import { annotations } from './names.ts';
import { formatWindow, isTimezone, parseWindowTimes, type UpdateWindow } from './update-window.ts';

export interface UpdateRules {
  /** Back to the last good revision when a rollout's deadline passes. */
  readonly autoRollback: boolean;
  /** Instances are replaced in this time of day only. */
  readonly window?: UpdateWindow;
  /** Between the end of one batch and the begin of the next. */
  readonly pauseMs?: number;
}

type Annotations = Readonly<Record<string, string>> | undefined;

const longestPauseMs = 24 * 3_600_000;

/** `30s`, `1h30m`; undefined when it is none, or more than a day. */
export function parsePauseMs(text: string): number | undefined {
  const ms = text === '0' ? 0 : parseDurationMs(text);
  return ms !== undefined && ms <= longestPauseMs ? Math.round(ms) : undefined;
}

/** What cannot be read counts as not said: the server refuses it where it is written. */
export function updateRulesOf(own: Annotations): UpdateRules {
  const times = parseWindowTimes(own?.[annotations.updateWindow] ?? '');
  const timezone = own?.[annotations.updateTimezone] ?? 'UTC';
  const pauseMs = parsePauseMs(own?.[annotations.updatePause] ?? '');
  return {
    autoRollback: own?.[annotations.autoRollback] === 'true',
    ...(times && isTimezone(timezone) ? { window: { ...times, timezone } } : {}),
    ...(pauseMs === undefined || pauseMs === 0 ? {} : { pauseMs }),
  };
}

export interface UpdateRuleProblem {
  readonly key: string;
  readonly value: string;
  readonly problem: string;
}

export function updateRuleProblems(own: Annotations): UpdateRuleProblem[] {
  const checks: [key: string, isRight: (value: string) => boolean, problem: string][] = [
    [annotations.autoRollback, (value) => ['true', 'false'].includes(value), 'must be "true" or "false"'],
    [
      annotations.updateWindow,
      (value) => parseWindowTimes(value) !== undefined,
      'must be two times of a day such as 02:00-04:00',
    ],
    [annotations.updateTimezone, isTimezone, 'must be a time zone such as Europe/Helsinki'],
    [
      annotations.updatePause,
      (value) => parsePauseMs(value) !== undefined,
      'must be a duration of at most 24h such as 30s or 1m30s',
    ],
  ];
  return checks.flatMap(([key, isRight, problem]) => {
    const value = own?.[key];
    return value === undefined || isRight(value) ? [] : [{ key, value, problem }];
  });
}

/** `in 02:00-04:00 UTC`, `30 s apart`; for people. */
export function describeUpdateRules({ autoRollback, window, pauseMs }: UpdateRules): string[] {
  return [
    ...(window ? [`in ${formatWindow(window)}`] : []),
    ...(pauseMs === undefined ? [] : [`batches ${pauseMs / 1_000} s apart`]),
    ...(autoRollback ? ['taken back when they fail'] : []),
  ];
}
