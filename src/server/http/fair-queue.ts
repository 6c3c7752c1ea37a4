export interface FairQueueLimits {
  /** Requests under way at once. */
  readonly running: number;
  /** Of them, those of one flow: slow ones must not take all seats before others come. */
  readonly runningPerFlow: number;
  readonly waiting: number;
  readonly waitingPerFlow: number;
}

/** A request that wants its turn; `start` is called once when it has come, perhaps at once. */
export interface Ticket {
  /** Whose it is: flows take turns. */
  readonly flow: string;
  readonly start: () => void;
}

interface Flow {
  running: number;
  readonly waiting: Set<Ticket>;
}

/**
 * Seats for a bounded number of requests, given to flows in turn and within a flow in order: who sends ten thousand requests
 * waits for himself. Everything it holds is bounded. Pure: no clock, no promises.
 */
export class FairQueue {
  readonly #limits: FairQueueLimits;
  readonly #flows = new Map<string, Flow>();
  /** Flows with somebody waiting and a seat of their own left, the next one first. */
  readonly #next = new Set<Flow>();
  #running = 0;
  #waiting = 0;

  constructor(limits: FairQueueLimits) {
    this.#limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** False: too many wait already, all in all or of this flow. */
  enter(ticket: Ticket): boolean {
    const flow = this.#flow(ticket.flow);
    if (this.#running < this.#limits.running && flow.waiting.size === 0 && this.#hasSeat(flow)) {
      this.#start(flow, ticket);
      return true;
    }
    if (this.#waiting >= this.#limits.waiting || flow.waiting.size >= this.#limits.waitingPerFlow) {
      this.#forget(ticket.flow, flow);
      return false;
    }
    flow.waiting.add(ticket);
    this.#waiting += 1;
    if (this.#hasSeat(flow)) this.#next.add(flow);
    return true;
  }

  /** One that had started is over. */
  leave(flowName: string): void {
    const flow = this.#flow(flowName);
    flow.running -= 1;
    this.#running -= 1;
    if (flow.waiting.size > 0) this.#next.add(flow);
    this.#forget(flowName, flow);
    while (this.#running < this.#limits.running) {
      const [first] = this.#next;
      if (!first) return;
      this.#startNext(first);
    }
  }

  /** One that waits does not want its turn any more. False: it has started already. */
  cancel(ticket: Ticket): boolean {
    const flow = this.#flows.get(ticket.flow);
    if (!flow?.waiting.delete(ticket)) return false;
    this.#waiting -= 1;
    if (flow.waiting.size === 0) this.#next.delete(flow);
    this.#forget(ticket.flow, flow);
    return true;
  }

  #startNext(flow: Flow): void {
    this.#next.delete(flow);
    const [ticket] = flow.waiting;
    if (!ticket) return;
    flow.waiting.delete(ticket);
    this.#waiting -= 1;
    // Behind all others that wait: its next turn comes after theirs.
    if (flow.waiting.size > 0 && flow.running + 1 < this.#limits.runningPerFlow) this.#next.add(flow);
    this.#start(flow, ticket);
  }

  #start(flow: Flow, ticket: Ticket): void {
    flow.running += 1;
    this.#running += 1;
    ticket.start();
  }

  #hasSeat(flow: Flow): boolean {
    return flow.running < this.#limits.runningPerFlow;
  }

  #flow(name: string): Flow {
    let flow = this.#flows.get(name);
    if (!flow) {
      flow = { running: 0, waiting: new Set() };
      this.#flows.set(name, flow);
    }
    return flow;
  }

  #forget(name: string, flow: Flow): void {
    if (flow.running === 0 && flow.waiting.size === 0) this.#flows.delete(name);
  }
}
