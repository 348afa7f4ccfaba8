"""The HTTP surface: one file for each endpoint family, the way in (`incoming`) and the way back (`reply`)."""
