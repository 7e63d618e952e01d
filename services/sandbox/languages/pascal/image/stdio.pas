// Used by every program (fpc -Fa): what is written appears at the end of its statement, as on a terminal.
unit stdio;

interface

implementation

procedure LikeATerminal(var stream: Text);
begin
  TextRec(stream).FlushFunc := TextRec(stream).InOutFunc;
end;

initialization
  LikeATerminal(Output);
  LikeATerminal(StdOut);
  LikeATerminal(ErrOutput);
  LikeATerminal(StdErr);
end.
