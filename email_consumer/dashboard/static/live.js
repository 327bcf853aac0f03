// The live events, while the page is visible: a hidden page costs the daemon nothing.

const RETRY = 3_000;

export class Live {
  /** `heard` takes (name, data) of each event; `silent` is called when the connection is lost. */
  constructor(path, heard, silent) {
    this.path = path;
    this.heard = heard;
    this.silent = silent;
    this.source = null;
    this.retry = null;
    this.watchVisibility = () => (document.hidden ? this.disconnect() : this.connect());
    document.addEventListener("visibilitychange", this.watchVisibility);
    this.connect();
  }

  connect() {
    this.disconnect();
    const source = (this.source = new EventSource(this.path));
    for (const name of ["history", "sample"]) {
      source.addEventListener(name, (event) => this.heard(name, JSON.parse(event.data)));
    }
    source.addEventListener("error", () => {
      this.silent();
      // Closed: the response was not a stream, so the browser does not retry.
      if (source.readyState === EventSource.CLOSED) this.retry = setTimeout(() => this.connect(), RETRY);
    });
  }

  disconnect() {
    clearTimeout(this.retry);
    this.source?.close();
    this.source = null;
  }

  end() {
    document.removeEventListener("visibilitychange", this.watchVisibility);
    this.disconnect();
  }
}
