/**
 * What is read from a socket, and where it goes.
 *
 * Node gives every read memory of its own, and its HTTP parser copies a body once more. For a large video that costs more than
 * reading it. Here each read goes into memory that is used again: what the parser shall see is copied out of it. The rest of a
 * large body, once the head has told its length, bypasses the parser: it goes into slabs, and those to the file.
 *
 * The parser never sees the end of such a body, so its connection is closed and not used again.
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";

const SLAB = 1024 * 1024;
/** What is free of a slab when the next one is begun: one read brings as much as there is. */
const LEAST_ROOM = 64 * 1024;
/** Slabs that are kept for later. */
const MOST_SPARE = 4;
/** For the rest of a body of this size a connection is given up: that is little beside reading it. */
const LEAST_REST = 64 * 1024 * 1024;

const spare: Slab[] = [];
/** All sockets read into it: what comes is used before the next read begins. */
const common = Buffer.allocUnsafeSlow(64 * 1024);
const intakes = new WeakMap<Socket, Intake>();

/** Memory that is read into again when nobody has a part of it any more. */
export class Slab {
  readonly bytes = Buffer.allocUnsafeSlow(SLAB);
  #users = 1;

  static next(): Slab { return spare.pop() ?? new Slab(); }

  keep(): void { this.#users += 1; }

  release(): void {
    this.#users -= 1;
    if (this.#users > 0 || spare.length >= MOST_SPARE) return;
    this.#users = 1;
    spare.push(this);
  }
}

/** Who takes the body of a response. */
export interface Taker {
  /** Bytes of the body that the parser has given. */
  readonly come: number;
  /** Takes the bytes that follow; those of a slab stay as they are until it is released. Gives whether more is wanted. */
  takeIn(bytes: Buffer, slab: Slab | undefined, last: boolean): boolean;
}

type Connect = (options: object, done: unknown) => Socket;

/** What is read from one socket. */
export class Intake {
  #socket!: Socket;
  #taker: Taker | undefined;
  #response: IncomingMessage | undefined;
  #length = 0;
  /** The slab that is read into, and what of it is used: only while the parser is bypassed. */
  #slab: Slab | undefined;
  #filled = 0;
  #left = 0;

  /** The same way to make connections; what they read goes through an intake. */
  static on(connect: Connect): Connect {
    return (options, done) => {
      const intake = new Intake();
      const onread = { buffer: () => intake.#room(), callback: (length: number, memory: Uint8Array) => intake.#read(length, memory as Buffer) };
      const socket = connect({ ...options, onread }, done);
      intake.#socket = socket;
      intakes.set(socket, intake);
      return socket;
    };
  }

  /** This response's body may bypass the parser. */
  give(taker: Taker, response: IncomingMessage): void {
    const { statusCode, headers } = response;
    const length = headers["content-length"];
    if ((statusCode !== 200 && statusCode !== 206) || headers["transfer-encoding"] !== undefined || !length || !/^\d{1,15}$/.test(length)) return;
    this.#taker = taker;
    this.#response = response;
    this.#length = Number(length);
  }

  /** The taker can take more. */
  resume(taker: Taker): void {
    if (this.#slab && this.#taker === taker && this.#left > 0) this.#socket.resume();
  }

  /** The taker has ended. */
  end(taker: Taker): void {
    if (this.#taker !== taker) return;
    // The slab that is read into is not used again: what may still come is written to it.
    this.#taker = this.#response = this.#slab = undefined;
  }

  #room(): Buffer { return this.#slab ? this.#slab.bytes.subarray(this.#filled) : common; }

  /** So many bytes have been read to the begin of this memory. Gives whether to go on reading. */
  #read(length: number, memory: Buffer): boolean {
    const bytes = memory.subarray(0, length);
    if (this.#slab && this.#taker) return this.#forward(this.#taker, bytes, this.#slab);
    // What the parser has is with the taker, and nothing else waits in between: from here on the parser is not needed.
    if (this.#taker && this.#response?.readableLength === 0 && this.#socket.readableLength === 0 && !this.#response.isPaused()
      && this.#length - this.#taker.come >= LEAST_REST) {
      this.#left = this.#length - this.#taker.come - length;
      this.#slab = Slab.next();
      this.#filled = 0;
      return this.#taker.takeIn(Buffer.from(bytes), undefined, false);
    }
    return this.#socket.push(Buffer.from(bytes));
  }

  #forward(taker: Taker, bytes: Buffer, slab: Slab): boolean {
    // What a server sends behind its body is nobody's.
    const mine = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes;
    if (mine.length === 0) return false;
    this.#left -= mine.length;
    this.#filled += mine.length;
    const last = this.#left === 0;
    const more = taker.takeIn(mine, slab, last);
    if (slab.bytes.length - this.#filled < LEAST_ROOM) {
      slab.release();
      this.#slab = Slab.next();
      this.#filled = 0;
    }
    return more && !last;
  }
}

export function intakeOf(socket: Socket): Intake | undefined { return intakes.get(socket); }
