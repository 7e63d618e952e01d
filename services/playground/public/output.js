// The output area: text is gathered and shown once a frame; old text goes when there is too much of it.

/** Text kept in the page, UTF-16 units. */
const MAX_UNITS = 1_000_000;
/** Text of one span, so that old text goes in pieces. */
const SPAN_UNITS = 16_384;
/** How near to its end the area counts as scrolled down, px. */
const NEAR_END_PX = 24;

/** @typedef {'stdout' | 'stderr' | 'compile' | 'typed' | 'note'} Kind */

export class Output {
  /** @type {HTMLElement} */
  #area;
  /** @type {{ kind: Kind, text: string }[]} */
  #waiting = [];
  #waitingUnits = 0;
  #units = 0;
  #frame = 0;
  #cut = false;

  /** @param {HTMLElement} area */
  constructor(area) {
    this.#area = area;
  }

  clear() {
    this.#area.replaceChildren();
    this.#waiting = [];
    this.#waitingUnits = 0;
    this.#units = 0;
    this.#cut = false;
  }

  /**
   * @param {Kind} kind
   * @param {string} text
   */
  write(kind, text) {
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.kind === kind && last.text.length < SPAN_UNITS) last.text += text;
    else this.#waiting.push({ kind, text });
    this.#waitingUnits += text.length;
    // A hidden tab gets no animation frames: what waits stays bounded all the same.
    while (this.#waitingUnits > MAX_UNITS && this.#waiting.length > 1) {
      this.#waitingUnits -= this.#waiting.shift()?.text.length ?? 0;
      this.#cut = true;
    }
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#show());
  }

  #show() {
    this.#frame = 0;
    const area = this.#area;
    const follows = area.scrollHeight - area.scrollTop - area.clientHeight < NEAR_END_PX;
    for (const { kind, text } of this.#waiting) this.#append(kind, text);
    this.#waiting = [];
    this.#waitingUnits = 0;
    this.#trim();
    if (follows) area.scrollTop = area.scrollHeight;
  }

  /**
   * @param {Kind} kind
   * @param {string} text
   */
  #append(kind, text) {
    const last = this.#area.lastElementChild;
    this.#units += text.length;
    if (last instanceof HTMLSpanElement && last.className === kind && (last.textContent ?? '').length < SPAN_UNITS) {
      last.append(text);
      last.normalize();
      return;
    }
    const span = document.createElement('span');
    span.className = kind;
    span.textContent = text;
    this.#area.append(span);
  }

  #trim() {
    while (this.#units > MAX_UNITS && this.#area.childElementCount > 1) {
      const first = this.#area.firstElementChild;
      this.#units -= first?.textContent?.length ?? 0;
      first?.remove();
      this.#cut = true;
    }
    if (this.#cut && this.#area.firstElementChild?.className !== 'note') {
      const note = document.createElement('span');
      note.className = 'note';
      note.textContent = '(earlier output was dropped here)\n';
      this.#units += note.textContent.length;
      this.#area.prepend(note);
    }
  }
}
