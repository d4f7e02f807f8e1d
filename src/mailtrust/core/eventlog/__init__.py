"""What Exchange wrote into the Windows event logs of its servers, told again: explained, folded, in order."""
