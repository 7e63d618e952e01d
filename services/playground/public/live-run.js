// The page's run while it lives: what it was sent, and how it goes on over another socket when its own is lost (PROTOCOL.md, Coming back).

/** @typedef {(event: string, data: object) => boolean} Send */

export class LiveRun {
  started = false;
  /** Whether it still takes input. */
  open = true;
  /** Whether its socket is gone and it was not found again yet. */
  lost = false;
  #key = '';
  #seq = 0;
  /** All that was typed: what had not arrived when the socket went is sent again. */
  #typed = '';
  #timer = 0;
  #send;

  /**
   * @param {string} name
   * @param {Send} send
   */
  constructor(name, send) {
    this.name = name;
    this.#send = send;
  }

  /**
   * Notes what a frame of it says.
   * @param {{ event: string, data: any }} frame
   */
  take({ event, data }) {
    if (typeof data.seq === 'number') this.#seq = data.seq;
    if (event === 'started') {
      this.started = true;
      this.#key = data.resume_key;
    }
    if (event === 'resumed') this.#found(data.stdin_bytes);
  }

  /** @param {string} text */
  type(text) {
    this.#typed += text;
    if (!this.lost) this.#send('stdin', { text, run: this.name });
  }

  close() {
    this.open = false;
    if (!this.lost) this.#send('stdin_close', { run: this.name });
  }

  /**
   * Its socket has gone. false: it can not be found again.
   * @param {number} windowMs how long it can be, ms
   * @param {() => void} onGone that time has passed
   */
  lose(windowMs, onGone) {
    if (!this.started) return false;
    if (!this.lost) this.#timer = setTimeout(onGone, windowMs);
    this.lost = true;
    return true;
  }

  /** There is a socket again. */
  comeBack() {
    if (this.lost) this.#send('resume', { run: this.name, key: this.#key, after: this.#seq });
  }

  end() {
    clearTimeout(this.#timer);
  }

  /** @param {number} received bytes of stdin that the program's side has */
  #found(received) {
    this.lost = false;
    clearTimeout(this.#timer);
    const missing = new TextDecoder().decode(new TextEncoder().encode(this.#typed).subarray(received));
    if (missing !== '') this.#send('stdin', { text: missing, run: this.name });
    if (!this.open) this.#send('stdin_close', { run: this.name });
  }
}
