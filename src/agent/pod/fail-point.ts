import { FlotillaError } from '../../lib/errors.ts';

/**
 * A place at which the agent ends or stands still, once, for tests of what comes after: `create:after:kill`.
 * `kill` ends the process as a power cut would, `freeze` stops it (SIGSTOP) until somebody sends SIGCONT.
 */
export interface FailPoint {
  readonly step: string;
  readonly moment: FailMoment;
  readonly action: 'kill' | 'freeze';
}

/** Before the step's effect, or after it and before anything is told of it. */
export type FailMoment = 'before' | 'after';

/** Called at every step; undefined in everyday use. */
export type FailPoints = (step: string, moment: FailMoment) => void;

/** `step:moment:action`, several with commas. Throws BadUsage for what is none of `steps`: a typing error would test nothing. */
export function parseFailPoints(text: string, steps: readonly string[]): readonly FailPoint[] {
  return text.split(',').map((part) => {
    const match = /^([a-z-]+):(before|after):(kill|freeze)$/.exec(part.trim());
    const [, step = '', moment, action] = match ?? [];
    if (!steps.includes(step)) {
      throw new FlotillaError('BadUsage', `fail point "${part}" is not STEP:before|after:kill|freeze`, {
        hint: `STEP is one of ${steps.join(', ')}`,
      });
    }
    return { step, moment: moment === 'before' ? 'before' : 'after', action: action === 'kill' ? 'kill' : 'freeze' };
  });
}

/** Each point acts the first time it is reached. `act` sends a signal to this process; `point` is `create:after`. */
export function createFailPoints(
  points: readonly FailPoint[],
  act: (name: NodeJS.Signals, point: string) => void,
): FailPoints {
  const armed = new Set(points);
  return (step, moment) => {
    for (const point of armed) {
      if (point.step !== step || point.moment !== moment) continue;
      armed.delete(point);
      act(point.action === 'kill' ? 'SIGKILL' : 'SIGSTOP', `${step}:${moment}`);
    }
  };
}
