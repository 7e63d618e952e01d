-- Linked into every program: a line shows at its end, and a prompt before its answer is read, also on a pipe.
{-# LANGUAGE RecordWildCards #-}

module Stdio () where

import Control.Concurrent.MVar (modifyMVar_)
import Control.Exception (SomeException, try)
import Data.Typeable (cast)
import GHC.IO.BufferedIO (BufferedIO (..))
import GHC.IO.Device (IODevice (..), RawIO (..))
import GHC.IO.FD (FD)
import GHC.IO.Handle.Types (Handle (..), Handle__ (..))
import System.IO (BufferMode (..), hFlush, hSetBuffering, stdin, stdout)

-- | The device of stdin: a read first flushes what was printed.
newtype Asking = Asking FD

shown :: IO a -> IO a
shown readIt = do
  -- stdout may be closed, or have no reader: that is no error of the read.
  _ <- try (hFlush stdout) :: IO (Either SomeException ())
  readIt

instance RawIO Asking where
  read (Asking fd) at offset count = shown (GHC.IO.Device.read fd at offset count)
  readNonBlocking (Asking fd) at offset count = shown (readNonBlocking fd at offset count)
  write (Asking fd) = write fd
  writeNonBlocking (Asking fd) = writeNonBlocking fd

instance BufferedIO Asking where
  newBuffer (Asking fd) = newBuffer fd
  fillReadBuffer (Asking fd) buffer = shown (fillReadBuffer fd buffer)
  fillReadBuffer0 (Asking fd) buffer = shown (fillReadBuffer0 fd buffer)
  emptyWriteBuffer (Asking fd) = emptyWriteBuffer fd
  flushWriteBuffer (Asking fd) = flushWriteBuffer fd
  flushWriteBuffer0 (Asking fd) = flushWriteBuffer0 fd

instance IODevice Asking where
  ready (Asking fd) = ready fd
  close (Asking fd) = close fd
  isTerminal (Asking fd) = isTerminal fd
  isSeekable (Asking fd) = isSeekable fd
  seek (Asking fd) = seek fd
  tell (Asking fd) = tell fd
  getSize (Asking fd) = getSize fd
  setSize (Asking fd) = setSize fd
  setEcho (Asking fd) = setEcho fd
  getEcho (Asking fd) = getEcho fd
  setRaw (Asking fd) = setRaw fd
  devType (Asking fd) = devType fd
  dup (Asking fd) = Asking <$> dup fd
  dup2 (Asking fd) (Asking to) = Asking <$> dup2 fd to

prepare :: IO ()
prepare = do
  hSetBuffering stdout LineBuffering
  case stdin of
    FileHandle _ handle -> modifyMVar_ handle (pure . asking)
    DuplexHandle {} -> pure ()
  where
    asking handle@Handle__ {haDevice = device} = case cast device of
      Just fd -> case handle of Handle__ {..} -> Handle__ {haDevice = Asking fd, ..}
      Nothing -> handle

foreign export ccall "rungrid_stdio" prepare :: IO ()
