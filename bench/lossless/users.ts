import { keepsCookies } from './request-plan.ts';

/** Those for whom a client process asks: every second one keeps its cookies, and should stay with its instance. */
export class Users {
  readonly #cookies = new Map<number, string>();
  readonly #instances = new Map<number, string>();
  /** Answered by another instance than before, though they brought their cookie. */
  moved = 0;

  cookieOf(user: number): string | undefined {
    return keepsCookies(user) ? this.#cookies.get(user) : undefined;
  }

  answered(user: number, instance: string, setCookies: readonly string[]): void {
    const cookie = setCookies.map((text) => text.split(';', 1)[0]).join('; ');
    if (this.cookieOf(user) !== undefined && this.#instances.get(user) !== instance) this.moved++;
    if (cookie !== '') this.#cookies.set(user, cookie);
    this.#instances.set(user, instance);
  }
}
