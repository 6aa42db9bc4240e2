"""The live web page: a CAN node of its own that plots the current of any charge point over 60 seconds."""
