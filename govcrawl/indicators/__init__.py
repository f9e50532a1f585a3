"""What each rule of the standard sees, one module an indicator."""
