import { FlotillaError } from '../../lib/errors.ts';

/** Counted from 1, as editors do. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** What is wrong (or, as a warning, what will not be done) at one place of a file. */
export interface Problem {
  readonly fileName: string;
  readonly at: Position;
  readonly message: string;
  readonly hint?: string;
}

/** All problems of a stack file at once. `problems` are in the order of the file. */
export class StackFileError extends FlotillaError {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    const [first] = problems;
    const isOne = problems.length === 1;
    const message =
      first && isOne
        ? `${place(first)}: ${first.message}`
        : [`the file has ${problems.length} problems`, ...problems.map((one) => `  ${renderProblem(one)}`)].join('\n');
    super('BadFile', message, isOne && first?.hint !== undefined ? { hint: first.hint } : {});
    this.problems = problems;
  }
}

/** `compose.yaml:3:5: what (hint)`, one line. */
export function renderProblem(problem: Problem): string {
  return `${place(problem)}: ${problem.message}${problem.hint === undefined ? '' : ` (${problem.hint})`}`;
}

function place({ fileName, at }: Problem): string {
  return `${fileName}:${at.line}:${at.column}`;
}

/** Beyond this a file is not worth explaining further. */
const maxProblems = 100;

/** Gathers problems and warnings while a file is read: a reader reports and goes on. */
export class Problems {
  readonly fileName: string;
  readonly #problems: Problem[] = [];
  readonly #warnings: Problem[] = [];

  constructor(fileName: string) {
    this.fileName = fileName;
  }

  get hasAny(): boolean {
    return this.#problems.length > 0;
  }

  /** `fileName` when it is another file than the stack file, such as an env file. Gives undefined, to be returned. */
  add(at: Position, message: string, hint?: string, fileName = this.fileName): undefined {
    if (this.#problems.length >= maxProblems) return;
    this.#problems.push({ fileName, at, message, ...(hint === undefined ? {} : { hint }) });
  }

  warn(at: Position, message: string, hint?: string): void {
    if (this.#warnings.length >= maxProblems) return;
    this.#warnings.push({ fileName: this.fileName, at, message, ...(hint === undefined ? {} : { hint }) });
  }

  throwIfAny(): void {
    if (this.#problems.length > 0) throw new StackFileError(this.#problems.toSorted(byPosition));
  }

  warnings(): readonly Problem[] {
    return this.#warnings.toSorted(byPosition);
  }
}

function byPosition(a: Problem, b: Problem): number {
  return a.fileName.localeCompare(b.fileName) || a.at.line - b.at.line || a.at.column - b.at.column;
}
