mod grammar;
mod property;
