import type { Logger } from '../../../lib/log.ts';
import type { RuntimeClient } from './runtime-client.ts';
import { planRemovals, type WorkerModel } from './worker.ts';

export interface SweeperOptions {
  readonly afterMs: number;
  readonly model: () => WorkerModel | undefined;
  /** One change at a time. */
  readonly inTurn: (work: () => Promise<void>) => Promise<void>;
  readonly client: RuntimeClient;
  readonly log: Logger;
}

const removalsAtOnce = 200;

/** Removes servers that left when nobody uses them any more. */
export class Sweeper {
  readonly #options: SweeperOptions;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SweeperOptions) {
    this.#options = options;
  }

  later(): void {
    this.stop();
    const { afterMs, inTurn, model } = this.#options;
    const known = model();
    if (!known || planRemovals(known, 1).length === 0) return;
    this.#timer = setTimeout(() => void inTurn(() => this.#sweep()).catch(() => {}), afterMs);
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #sweep(): Promise<void> {
    const { client, log } = this.#options;
    const model = this.#options.model();
    if (!model) return;
    await client.tell(model.pid, planRemovals(model, removalsAtOnce)).catch((error: unknown) => {
      log.warn('servers that left stay in HAProxy', { worker: model.pid, error });
    });
    this.later();
  }
}
